"""Accounts of people, managed by the operator; each change is in the audit log.

`by` is the acting operator, `operator:cli`, whose permission (`org.access`) is checked before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, NotFound
from guardia.i18n import t
from guardia.org import access
from guardia.org.directory import PersonInfo
from guardia.org.model import ChannelAccount, Institution, Person
from guardia.text import trim

_MAX_LENGTH = 64
_MIN_PASSWORD_LENGTH = 10


@dataclass(frozen=True, slots=True)
class PersonAccount:
    """A person's account as the operator sees it."""

    person: PersonInfo
    active: bool
    messengers: tuple[str, ...]
    """`channel:account` of each linked messenger account."""


def list_accounts(board: BoardContext) -> list[PersonAccount]:
    """Return all accounts, also closed ones, grouped by human identity."""
    with board.database.reading() as session:
        linked: dict[str, list[str]] = {}
        for row in session.scalars(select(ChannelAccount).order_by(ChannelAccount.account)):
            linked.setdefault(row.person_id, []).append(f"{row.channel}:{row.account}")
        people = session.scalars(select(Person).order_by(Person.person_id)).all()
        return sorted(
            (
                PersonAccount(p.as_info(), p.active, tuple(linked.get(p.person_id, ())))
                for p in people
            ),
            key=lambda a: (a.person.identity or a.person.id, a.person.id),
        )


@repeat_on_conflict
def add(board: BoardContext, by: Actor, person: PersonInfo, password: str | None = None) -> None:
    """Create an account. Raises `Invalid` if the id is taken or a value is invalid."""
    with board.database.transaction() as session:
        if session.get(Person, person.id) is not None:
            raise Invalid(what=person.id, why=t("board.person.taken"))
        row = Person(person_id=_validated(person.id, t("board.person.id")))
        _fill(session, row, person)
        session.add(row)
        session.flush()
        if password is not None:
            _password(session, person.id, password)
        _record(session, board, by, EntryKind.PERSON_ADDED, row, _audit_detail(row))


@repeat_on_conflict
def import_people(board: BoardContext, by: Actor, people: list[PersonInfo]) -> int:
    """Import a directory's people: create new accounts and update changed ones.

    Accounts that are not in the list stay as they are, and so does an identity that the directory
    omits. Returns the number of new and changed accounts.
    """
    changed = 0
    with board.database.transaction() as session:
        for person in people:
            row = session.get(Person, person.id)
            before = _audit_detail(row) if row else {}
            row = row or Person(person_id=_validated(person.id, t("board.person.id")))
            _fill(session, row, person)
            session.add(row)
            session.flush()
            if _audit_detail(row) != before:
                changed += 1
                kind = EntryKind.PERSON_CHANGED if before else EntryKind.PERSON_ADDED
                _record(session, board, by, kind, row, _difference(before, _audit_detail(row)))
    return changed


@repeat_on_conflict
def set_role(board: BoardContext, by: Actor, account: str, role: str) -> None:
    """Change the role of an account; takes effect at once in open sessions."""
    with board.database.transaction() as session:
        row = _person(session, account)
        before = _audit_detail(row)
        row.role = _role(role)
        _changed(session, board, by, row, before)


@repeat_on_conflict
def set_active(board: BoardContext, by: Actor, account: str, *, active: bool) -> None:
    """Close or reopen an account; closing takes effect at once in open sessions."""
    with board.database.transaction() as session:
        row = _person(session, account)
        before = _audit_detail(row)
        row.active = active
        _changed(session, board, by, row, before)


@repeat_on_conflict
def set_identity(board: BoardContext, by: Actor, account: str, identity: str | None) -> None:
    """Set the human identity behind an account (`None`: only itself).

    Accounts of one human count as one for every separation of duties, also for earlier decisions.
    """
    with board.database.transaction() as session:
        row = _person(session, account)
        before = _audit_detail(row)
        row.identity = _validated(identity, t("board.person.identity")) if identity else None
        _changed(session, board, by, row, before)


@repeat_on_conflict
def join_accounts(board: BoardContext, by: Actor, one: str, other: str) -> str:
    """Record that two accounts belong to one human; returns their common identity."""
    with board.database.transaction() as session:
        first, second = _person(session, one), _person(session, other)
        if first is second:
            raise Invalid(what=other, why=t("board.person.same"))
        human = first.identity or second.identity or first.person_id
        for row in session.scalars(select(Person).where(_same_humans(first, second))):
            before = _audit_detail(row)
            row.identity = human
            _changed(session, board, by, row, before)
        return human


@repeat_on_conflict
def set_password(board: BoardContext, by: Actor, account: str, password: str) -> None:
    """Replace a password; sessions under the old one end."""
    with board.database.transaction() as session:
        row = _person(session, account)
        _password(session, row.person_id, password)
        _record(session, board, by, EntryKind.PERSON_CHANGED, row, {"password": "replaced"})


def _same_humans(*rows: Person) -> Any:
    """Return the condition for all accounts of these humans: joining two joins them all."""
    named = [row.identity for row in rows if row.identity]
    return Person.identity.in_(named) | Person.person_id.in_(
        [*(row.person_id for row in rows), *named]
    )


def _person(session: Session, account: str) -> Person:
    row = session.get(Person, account, with_for_update=True)
    if row is None:
        raise NotFound(what=account)
    return row


def _fill(session: Session, row: Person, given: PersonInfo) -> None:
    if given.role == "customer" and not given.institution:
        raise Invalid(what=given.id, why=t("board.person.homeless"))
    if given.institution and session.get(Institution, given.institution) is None:
        raise Invalid(what=given.institution, why=t("board.person.institution"))
    row.name, row.title = _validated(given.name, t("board.person.name")), trim(given.title)
    row.role, row.inst_id, row.skills = _role(given.role), given.institution, list(given.skills)
    if given.identity:
        row.identity = _validated(given.identity, t("board.person.identity"))


def _role(role: str) -> str:
    if role not in access.ROLES:
        raise Invalid(what=role, why=", ".join(access.ROLES))
    return role


def _validated(text: str, what: str) -> str:
    found = trim(text)
    if not found or len(found) > _MAX_LENGTH or any(c.isspace() and c != " " for c in found):
        raise Invalid(what=what, why=t("board.person.length", longest=_MAX_LENGTH))
    return found


def _password(session: Session, account: str, password: str) -> None:
    if len(password) < _MIN_PASSWORD_LENGTH:
        raise Invalid(
            what=t("board.person.password"), why=t("board.person.short", least=_MIN_PASSWORD_LENGTH)
        )
    access.set_password(session, account, password)


def _audit_detail(row: Person) -> dict[str, Any]:
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


def _difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"before": before.get(name), "after": value}
        for name, value in after.items()
        if value != before.get(name)
    }


def _changed(
    session: Session, board: BoardContext, by: Actor, row: Person, before: dict[str, Any]
) -> None:
    difference = _difference(before, _audit_detail(row))
    if difference:
        session.flush()
        _record(session, board, by, EntryKind.PERSON_CHANGED, row, difference)


def _record(
    session: Session,
    board: BoardContext,
    by: Actor,
    kind: EntryKind,
    row: Person,
    what: dict[str, Any],
) -> None:
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
