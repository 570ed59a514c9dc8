"""The history of rights: who gave, changed or withdrew which, and who was the second person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset, Slice, read_slice
from guardia.board.rights.model import RightChange, RightRequest
from guardia.db.engine import repeat_on_conflict
from guardia.org.directory import PersonInfo

CHANGES = ("role", "open", "closed", "identity", "duty", "delegation", "vendor", "expiry", "review")
"""What `RightChange.kind` names. Stored: never rename a value."""


@dataclass(frozen=True, slots=True)
class ChangedRight:
    """A change to record."""

    person: str
    kind: str
    before: str | None
    after: str | None
    reason: str = ""


def record(
    session: Session,
    change: ChangedRight,
    made_by: str,
    now: datetime,
    request: RightRequest | None = None,
) -> None:
    """Record a change; after a `request`, its requester made it and its decider allowed it."""
    session.add(
        RightChange(
            person_id=change.person,
            kind=change.kind,
            before=change.before,
            after=change.after,
            made_by=request.requested_by if request else made_by,
            decided_by=request.decided_by if request else None,
            reason=change.reason or (request.reason if request else ""),
            request_id=request.request_id if request else None,
            made_at=now,
        )
    )


def changes(
    board: BoardContext, viewer: PersonInfo | Actor, page: Keyset, person: str = ""
) -> Slice[RightChange]:
    """Return a page of the history, newest first, of everyone or one person."""
    require_actor(viewer, "right.read")
    query = select(RightChange)
    if person:
        query = query.where(RightChange.person_id == person)
    with board.database.reading() as session:
        found = read_slice(session, query, RightChange.change_id, page, lambda r: r[0].change_id)
        return Slice(tuple(row[0] for row in found.rows), found.newer, found.older)


@repeat_on_conflict
def delete_old(board: BoardContext) -> int:
    """Delete what is older than is kept; the database refuses that for less than 3 years."""
    oldest = board.clock() - timedelta(days=366 * board.accounts.history_years)
    with board.database.transaction() as session:
        found = session.execute(delete(RightChange).where(RightChange.made_at < oldest))
        return int(getattr(found, "rowcount", 0))
