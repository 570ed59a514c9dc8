"""Passwords: the policy of public institutions, one-time passwords, the change by their person."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from guardia.board.accounts import account_fields
from guardia.board.accounts.account_fields import record
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org import access, password_rules
from guardia.org.access import require_permission
from guardia.org.account_model import PasswordRecord
from guardia.org.directory import PersonInfo
from guardia.org.model import Person


def set_new(
    session: Session, board: BoardContext, row: Person, password: str, now: datetime
) -> None:
    """Set a password that satisfies the policy, and end the account's sessions."""
    check(session, board, row, password)
    _store(session, board, row, password, now)
    account_fields.state_of(session, row.person_id).must_change = False


def set_one_time(session: Session, board: BoardContext, row: Person, now: datetime) -> str:
    """Set and return a random password, which its person must change at the first sign-in."""
    made = password_rules.make_one_time(board.accounts)
    _store(session, board, row, made, now)
    account_fields.state_of(session, row.person_id).must_change = True
    return made


def check(session: Session, board: BoardContext, row: Person, password: str) -> None:
    """Raise `Invalid` if the policy refuses a password, or it was used before."""
    words = [row.person_id, *row.name.split(), row.inst_id or "", row.identity or ""]
    fault = password_rules.find_fault(board.accounts, password, words)
    if fault is not None:
        _refuse(t(f"accounts.password.{fault[0]}", **fault[1]))
    # Each comparison takes a tenth of a second by design.
    earlier = [row.password_hash] if row.password_hash else []
    count = board.accounts.password_history
    if count:
        used = select(PasswordRecord.password_hash).where(PasswordRecord.person_id == row.person_id)
        earlier += session.scalars(used.order_by(PasswordRecord.record_id.desc()).limit(count))
    if any(access.is_password(known, password) for known in dict.fromkeys(earlier)):
        _refuse(t("accounts.password.used", count=max(count, 1)))


def _refuse(why: str) -> None:
    raise Invalid(what=t("board.person.password"), why=why, field="password")


def _store(
    session: Session, board: BoardContext, row: Person, password: str, now: datetime
) -> None:
    access.set_password(session, row.person_id, password)
    session.flush()
    state = account_fields.state_of(session, row.person_id)
    state.password_changed_at, state.failures = now, 0
    if row.password_hash and board.accounts.password_history:
        session.add(
            PasswordRecord(person_id=row.person_id, password_hash=row.password_hash, changed_at=now)
        )
        session.flush()
        kept = (
            select(PasswordRecord.record_id)
            .where(PasswordRecord.person_id == row.person_id)
            .order_by(PasswordRecord.record_id.desc())
            .limit(board.accounts.password_history)
        )
        old = PasswordRecord.person_id == row.person_id, PasswordRecord.record_id.not_in(kept)
        session.execute(delete(PasswordRecord).where(*old))


@repeat_on_conflict
def change_own(board: BoardContext, person: PersonInfo, present: str, password: str) -> None:
    """Change one's own password, which ends all of one's sessions.

    Raises `Invalid` if the present password is wrong or the policy refuses the new one. The caller
    has counted the attempt.
    """
    require_permission(person, "password.own")
    now = board.clock()
    with board.database.transaction() as session:
        row = account_fields.find(session, person.id)
        if not access.is_password(row.password_hash, present):
            why = t("accounts.password.wrong")
            raise Invalid(what=t("board.person.password"), why=why, field="present")
        set_new(session, board, row, password, now)
        record(session, board, Actor.of(person), EntryKind.PASSWORD_CHANGED, row, {})
