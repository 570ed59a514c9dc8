"""Fields of an account: validate, fill, compare, record. In the transaction of a use case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.rights import history
from guardia.board.rights.history import ChangedRight
from guardia.board.rights.policy import FORBIDDEN_TO_VENDORS, PRIVILEGED
from guardia.board.rights.requests import HUMAN, human_of
from guardia.errors import Invalid, NotFound
from guardia.i18n import t
from guardia.org import access
from guardia.org.account_model import AccountState
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution, Person
from guardia.text import trim

FOREVER = datetime(9999, 12, 31, tzinfo=UTC)
"""End of a lock that a person has set."""
_MAX_LENGTH = 64


def find(session: Session, account: str) -> Person:
    """Return an account, locked. Raises `NotFound` if there is none."""
    row = session.get(Person, account, with_for_update=True)
    if row is None:
        raise NotFound(what=account)
    return row


def state_of(session: Session, account: str) -> AccountState:
    """Return the sign-in state of an account, locked; a new one if there is none."""
    found = session.get(AccountState, account, with_for_update=True)
    if found is None:
        found = AccountState(person_id=account)
        session.add(found)
        session.flush()
    return found


def fill(session: Session, row: Person, given: PersonInfo) -> None:
    """Write a person's values into an account. Raises `Invalid` for a bad one."""
    if given.role == "customer" and not given.institution:
        raise Invalid(what=given.id, why=t("board.person.homeless"), field="institution")
    institution = _institution_id(session, given.institution) if given.institution else None
    row.name = _validated(given.name, t("board.person.name"), "name")
    row.title = trim(given.title)
    row.role, row.inst_id, row.skills = (
        known_role(given.role),
        institution,
        list(given.skills),
    )
    if given.identity:
        row.identity = validated_identity(given.identity)


def _institution_id(session: Session, text: str) -> str:
    """Return the institution of this id, or of this name. Raises `Invalid` if there is none."""
    if session.get(Institution, text) is not None:
        return text
    named = select(Institution.inst_id).where(Institution.inst_name == text).limit(2)
    found = session.scalars(named).all()
    if len(found) != 1:
        raise Invalid(what=text, why=t("board.person.institution"), field="institution")
    return found[0]


def known_role(role: str) -> str:
    """Return a role. Raises `Invalid` if there is none of this name."""
    if role not in access.ROLES:
        raise Invalid(what=role, why=", ".join(access.ROLES), field="role")
    return role


def checked_role(session: Session, row: Person, role: str, *, vendor: bool | None = None) -> str:
    """Return a role that the account may have: a vendor's is never that of an administrator."""
    found = known_role(role)
    if vendor is None:
        state = session.get(AccountState, row.person_id)
        vendor = state is not None and state.vendor
    if vendor and found in FORBIDDEN_TO_VENDORS:
        raise Invalid(what=row.person_id, why=t("board.person.vendor_role"), field="role")
    return found


def set_terms(
    session: Session,
    board: BoardContext,
    row: Person,
    *,
    vendor: bool,
    expires_at: datetime | None,
    by: Actor | None = None,
) -> dict[str, Any]:
    """Set whether a vendor has the account, and its last moment; returns what is different."""
    now = board.clock()
    longest = now + timedelta(days=board.accounts.vendor_days)
    if vendor:
        checked_role(session, row, row.role, vendor=True)
        if expires_at is None or expires_at > longest:
            why = t("board.person.vendor_expiry", days=board.accounts.vendor_days)
            raise Invalid(what=row.person_id, why=why, field="expires")
    state = state_of(session, row.person_id)
    changed = expires_at != state.expires_at
    if expires_at is not None and changed and expires_at <= now:
        raise Invalid(what=row.person_id, why=t("board.person.expired"), field="expires")
    found: dict[str, Any] = {}
    before = {"vendor": bool(state.vendor), "expires_at": _text(state.expires_at)}
    after = {"vendor": vendor, "expires_at": _text(expires_at)}
    state.vendor, state.expires_at = vendor, expires_at
    if by is not None:
        found = difference(before, after)
        for name, kind in (("vendor", "vendor"), ("expires_at", "expiry")):
            if name in found:
                change = ChangedRight(row.person_id, kind, str(before[name]), str(after[name]))
                history.record(session, change, str(by), now)
    session.flush()
    return found


def require_not_expired(session: Session, account: str, now: datetime) -> None:
    """Raise `Invalid` if the account's last day is over: it would be closed again at once."""
    state = session.get(AccountState, account)
    if state is not None and state.expires_at is not None and state.expires_at <= now:
        raise Invalid(what=account, why=t("board.person.expired"), field="expires")


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="minutes") if moment else None


def separates(session: Session, row: Person, identity: str | None) -> bool:
    """Return whether a new identity parts accounts of one human of which one is an approver's."""
    before = human_of(session, row.person_id)
    after = identity or row.person_id
    if before == after:
        return False
    others = session.execute(
        select(Person.role, Person.identity).where(
            HUMAN.in_([before]), Person.person_id != row.person_id
        )
    ).all()
    return bool(others) and bool({row.role, *(role for role, _ in others)} & PRIVILEGED)


def end_sessions(session: Session, account: str) -> None:
    """End all sessions of an account and forget its devices."""
    access.end_sessions(session, account)


def validated_id(text: str) -> str:
    """Return an account's id. Raises `Invalid` if it is empty or too long."""
    return _validated(text, t("board.person.id"), "account")


def validated_identity(text: str) -> str:
    """Return an identity. Raises `Invalid` if it is empty or too long."""
    return _validated(text, t("board.person.identity"), "identity")


def _validated(text: str, what: str, field: str) -> str:
    found = trim(text)
    if not found or len(found) > _MAX_LENGTH or any(c.isspace() and c != " " for c in found):
        raise Invalid(what=what, why=t("board.person.length", longest=_MAX_LENGTH), field=field)
    return found


def audit_detail(row: Person) -> dict[str, Any]:
    """Return what the audit log keeps of an account: never its password."""
    return {
        "name": row.name,
        "title": row.title,
        "role": row.role,
        "institution": row.inst_id,
        "skills": list(row.skills),
        "identity": row.identity,
        "active": row.active is not False,
    }


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return what is different, before and after."""
    return {
        name: {"before": before.get(name), "after": value}
        for name, value in after.items()
        if value != before.get(name)
    }


def record(
    session: Session,
    board: BoardContext,
    by: Actor,
    kind: EntryKind,
    row: Person,
    what: dict[str, Any],
) -> None:
    """Append an entry about an account."""
    log.append(
        session,
        kind,
        actor=str(by),
        now=board.clock(),
        detail={"person": row.person_id, "what": what},
        person=row.person_id,
        name=row.name,
        what=", ".join(what),
    )
