"""TODO."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.core.model import Issue, OutboxEntry
from guardia.db import jobs


def send(
    session: Session, kind: str, text: str, now: datetime, *, room: str = "", sr_id: int | None
) -> None:
    """Put a message (to a room) or an alert into the outbox."""
    row = OutboxEntry(kind=kind, room=room, sr_id=sr_id, text=text, created_at=now)
    session.add(row)
    session.flush()
    jobs.defer(session, "deliver", outbox_id=row.outbox_id)


def schedule_checkpoint(session: Session) -> None:
    """Have a worker sign the record once this transaction commits, whatever comes of that.

    For orders that stop something: they take effect at once, and the checkpoint after them covers
    all that was before. A signing that fails has raised its own alert.
    """
    jobs.defer(session, "seal", lock="seal")


def reply_to_room(session: Session, issue: Issue, text: str, now: datetime) -> None:
    """Tell the room where an issue came from; nothing where it came from no room."""
    if issue.room:
        send(session, "message", text, now, room=issue.room, sr_id=issue.sr_id)
