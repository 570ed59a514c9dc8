"""Close accounts whose last day is over, and end requests of rights whose time is over."""

from __future__ import annotations

from sqlalchemy import select

from guardia.board.accounts import account_fields, reviews
from guardia.board.accounts.account_fields import record
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.rights import history, requests
from guardia.board.rights.history import ChangedRight
from guardia.db.engine import repeat_on_conflict
from guardia.org.account_model import AccountState
from guardia.org.model import Person

_BY = Actor.system("accounts")
_BATCH = 100


def process_due(board: BoardContext) -> None:
    """Do what is due, once on however many hosts."""
    close_expired(board)
    reviews.process_due(board)


@repeat_on_conflict
def close_expired(board: BoardContext) -> int:
    """Close expired accounts; returns how many."""
    now = board.clock()
    query = (
        select(Person, AccountState)
        .join(AccountState, AccountState.person_id == Person.person_id)
        .where(AccountState.expires_at <= now, Person.active)
        .order_by(Person.person_id)
        .limit(_BATCH)
        .with_for_update(of=Person, skip_locked=True)
    )
    with board.database.transaction() as session:
        requests.lapse_old(session, now)
        rows = session.execute(query).all()
        for row, _ in rows:
            row.active = False
            account_fields.end_sessions(session, row.person_id)
            change = ChangedRight(row.person_id, "expiry", row.role, None)
            history.record(session, change, str(_BY), now)
        session.flush()
        for row, state in rows:
            ends = state.expires_at.isoformat() if state.expires_at else ""
            record(session, board, _BY, EntryKind.ACCOUNT_EXPIRED, row, {"expires_at": ends})
        return len(rows)
