"""References between issues: `#12` and `SR-12` in a text of one that name another."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.core.issue_ref import MENTIONED
from guardia.board.core.model import Issue
from guardia.board.issues.mentions import without_code
from guardia.board.issues.model import IssueReference

_MOST = 50
"""References of one text that count."""


def named_issues(text: str) -> list[int]:
    """Return the numbers of the issues that a text names outside of code, in order."""
    if "#" not in text and "SR-" not in text:
        return []
    found = (int(match[1]) for match in MENTIONED.finditer(without_code(text)))
    return list(dict.fromkeys(found))[:_MOST]


def note(session: Session, sr_id: int, text: str, now: datetime) -> None:
    """Keep which existing issues a text of an issue names."""
    named = [number for number in named_issues(text) if number != sr_id]
    if not named:
        return
    rows = select(Issue.sr_id).where(Issue.sr_id.in_(named)).order_by(Issue.sr_id)
    values = [{"from_id": sr_id, "to_id": one, "since": now} for one in session.scalars(rows)]
    if values:
        session.execute(insert(IssueReference).on_conflict_do_nothing(), values)
