"""Close a conversation for further comments, and open it again."""

from __future__ import annotations

from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import ActorKind
from guardia.board.core.reasons import require_reason
from guardia.board.issues import changing
from guardia.board.issues.model import IssueLock
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo
from guardia.org.model import Person

ACTION = "issue.lock"


@repeat_on_conflict
def lock(board: BoardContext, person: PersonInfo, sr_id: int, reason: str) -> None:
    """Lock the conversation of an issue, with a reason. Locking it again changes nothing."""
    why, now = require_reason(reason), board.clock()
    with board.database.transaction() as session:
        changing.lock_for(session, person, sr_id, ACTION)
        if session.get(IssueLock, sr_id) is not None:
            return
        by = str(Actor.of(person))
        session.add(IssueLock(sr_id=sr_id, reason=why, locked_by=by, locked_at=now))
        session.flush()
        detail = {"reason": why}
        changing.record(session, EntryKind.ISSUE_LOCKED, person, now, sr_id, detail, reason=why)


@repeat_on_conflict
def unlock(board: BoardContext, person: PersonInfo, sr_id: int) -> None:
    """Open the conversation of an issue again."""
    now = board.clock()
    with board.database.transaction() as session:
        changing.lock_for(session, person, sr_id, ACTION)
        row = session.get(IssueLock, sr_id)
        if row is None:
            return
        session.delete(row)
        session.flush()
        changing.record(session, EntryKind.ISSUE_UNLOCKED, person, now, sr_id, {})


def require_open(session: Session, sr_id: int, author: Actor) -> None:
    """Raise `Refused` if a person may not comment, because the conversation is locked."""
    if author.kind is not ActorKind.PERSON:
        return
    row = session.get(IssueLock, sr_id)
    if row is None:
        return
    person = session.get(Person, author.id)
    if person is None or not is_allowed(person.as_info(), ACTION):
        raise Refused(why=t("issue.locked", reason=row.reason))
