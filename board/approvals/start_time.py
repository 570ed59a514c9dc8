"""Start times as people write them: `22:00` is the next such time of day."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

from guardia.board.approvals import requests
from guardia.board.core.context import BoardContext
from guardia.errors import Invalid
from guardia.i18n import t

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def read_start(board: BoardContext, text: str) -> datetime | None:
    """Return the time that a person's text names in the company's time zone."""
    if not text.strip():
        return None
    return parse_start(text, board.clock(), requests.company_zone_of(board))


def parse_start(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    """Return the time that a text names, or `None` for an empty one.

    Accepts `HH:MM`, today or tomorrow, and dates with a time. Raises `Invalid` for anything else.
    """
    given = text.strip()
    if not given:
        return None
    local = now.astimezone(zone)
    if clock := _CLOCK.fullmatch(given):
        moment = local.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        return moment if moment > local else moment + timedelta(days=1)
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        raise Invalid(what=given, why=t("board.choice.form")) from None
    return found if found.tzinfo else found.replace(tzinfo=zone)
