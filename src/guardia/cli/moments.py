"""Moments and days as people type them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from guardia.errors import Invalid
from guardia.i18n import t

if TYPE_CHECKING:
    from guardia.board.core.context import BoardContext


def parse_moment(board: BoardContext, text: str) -> datetime | None:
    """Return a moment in the company's time; `None` if none was given."""
    from guardia.board.organization import chart

    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(what=text, why=t("cli.delegate.format")) from None
    return found if found.tzinfo else found.replace(tzinfo=chart.running(board)[1].company.zone)
