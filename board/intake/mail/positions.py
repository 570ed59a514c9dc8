"""How far a mailbox was read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert

from guardia.board.core.context import BoardContext
from guardia.board.intake.mail.model import MailboxPosition
from guardia.db.engine import repeat_on_conflict


@dataclass(frozen=True, slots=True)
class Position:
    """The last mail that was stored."""

    uid_validity: int
    last_uid: int
    read_at: datetime


def get_position(board: BoardContext, mailbox: str) -> Position | None:
    """Return how far a mailbox was read, or `None` before the first time."""
    with board.database.reading() as session:
        row = session.get(MailboxPosition, mailbox)
        return Position(row.uid_validity, row.last_uid, row.read_at) if row else None


@repeat_on_conflict
def set_position(board: BoardContext, mailbox: str, uid_validity: int, last_uid: int) -> None:
    """Record that everything up to a mail is stored."""
    values = {"uid_validity": uid_validity, "last_uid": last_uid, "read_at": board.clock()}
    with board.database.transaction() as session:
        session.execute(
            insert(MailboxPosition)
            .values(mailbox=mailbox, **values)
            .on_conflict_do_update(index_elements=[MailboxPosition.mailbox], set_=values)
        )
