"""Accounts of people, managed by administrators and the operator; each change is in the audit log.

`by` is a person with the permission, or the acting operator, `operator:cli`, whose permission
(`org.access`) is checked before. What would give the rights of an approver, administrator or
security officer waits for a second person: `board.rights`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.accounts import account_fields, passwords
from guardia.board.accounts.account_changes import (
    PendingEntries,
    change_identity,
    change_role,
    create_row,
)
from guardia.board.accounts.account_fields import audit_detail, difference, find, record
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.rights import history, requests
from guardia.board.rights.history import ChangedRight
from guardia.board.rights.policy import PRIVILEGED, Kind
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org.directory import PersonInfo
from guardia.org.model import ChannelAccount, Person


@dataclass(frozen=True, slots=True)
class PersonAccount:
    """A person's account as the operator sees it."""

    person: PersonInfo
    active: bool
    messengers: tuple[str, ...]
    """`channel:account` of each linked messenger account."""


@dataclass(frozen=True, slots=True)
class AccountOutcome:
    """What a change led to."""

    request: int | None = None
    """The request that waits for a second person, if the change needs one."""
    password: str = ""
    """A new one-time password, shown this once."""


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to create."""

    person: PersonInfo
    password: str | None = None
    """The password, or `None`: no one can sign in with one."""
    one_time: bool = False
    """Make a one-time password instead."""
    vendor: bool = False
    expires_at: datetime | None = None
    reason: str = ""


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
def add(
    board: BoardContext,
    by: Actor | PersonInfo,
    person: PersonInfo,
    password: str | None = None,
    **more: Any,
) -> AccountOutcome:
    """Create an account; `more` as in `NewAccount`. Raises `Invalid` for a taken id or a bad value.

    An account with a role of approvers stays closed until a second person has allowed it.
    """
    actor, now = require_actor(by, "person.manage"), board.clock()
    given = NewAccount(person, password, **more)
    with board.database.transaction() as session:
        if session.get(Person, person.id) is not None:
            raise Invalid(what=person.id, why=t("board.person.taken"), field="account")
        pending = PendingEntries()
        row = Person(person_id=account_fields.validated_id(person.id))
        create_row(session, board, actor, row, given.person, pending, now)
        account_fields.set_terms(
            session, board, row, vendor=given.vendor, expires_at=given.expires_at
        )
        made = ""
        if given.one_time:
            made = passwords.set_one_time(session, board, row, now)
        elif given.password is not None:
            passwords.set_new(session, board, row, given.password, now)
        return AccountOutcome(pending.close(session, board, actor, now, given.reason), made)


@repeat_on_conflict
def import_people(
    board: BoardContext,
    by: Actor,
    people: Sequence[PersonInfo],
    new_passwords: Mapping[str, str] | None = None,
) -> int:
    """Import a directory's people: create new accounts and update changed ones.

    Accounts that are not in the list stay as they are, and so does an identity that the directory
    omits. Returns the number of new and changed accounts. Roles of approvers wait for a second
    person, except while there is none. `new_passwords` are for accounts without one.
    """
    now, changed = board.clock(), 0
    with board.database.transaction() as session:
        pending = PendingEntries()
        # While there is no one to ask, the whole directory is the beginning.
        beginning = requests.is_alone(session, by, "", now)
        for person in people:
            row = session.get(Person, person.id, with_for_update=True)
            if row is None:
                row = Person(person_id=account_fields.validated_id(person.id))
                create_row(session, board, by, row, person, pending, now, alone=beginning or None)
                changed += 1
            else:
                changed += _update(session, board, by, row, person, pending, now)
            given = (new_passwords or {}).get(person.id)
            if given is not None and row.password_hash is None:
                passwords.set_new(session, board, row, given, now)
        pending.close(session, board, by, now)
    return changed


def _update(
    session: Session,
    board: BoardContext,
    by: Actor,
    row: Person,
    person: PersonInfo,
    pending: PendingEntries,
    now: datetime,
) -> bool:
    """Write a person's fields into an account; returns whether anything is different."""
    before, role = audit_detail(row), row.role
    wanted_identity = person.identity or row.identity
    account_fields.fill(session, row, person.model_copy(update={"role": role, "identity": None}))
    change_identity(session, by, row, wanted_identity, pending, now)
    change_role(
        session, by, row, account_fields.checked_role(session, row, person.role), pending, now
    )
    found = difference(before, audit_detail(row))
    if found:
        pending.entries.append((EntryKind.PERSON_CHANGED, row, found))
    return bool(found) or any(asked[1] == row.person_id for asked in pending.asked)


@dataclass(frozen=True, slots=True)
class AccountEdit:
    """What an administrator may change of an account at once."""

    name: str
    title: str
    role: str
    institution: str | None
    skills: tuple[str, ...]
    identity: str | None
    vendor: bool
    expires_at: datetime | None
    reason: str = ""


@repeat_on_conflict
def edit(
    board: BoardContext, by: Actor | PersonInfo, account: str, wanted: AccountEdit
) -> AccountOutcome:
    """Change an account; a role of approvers waits for a second person, all else takes effect."""
    actor, now = require_actor(by, "person.manage"), board.clock()
    with board.database.transaction() as session:
        row, pending = find(session, account), PendingEntries()
        person = row.as_info().model_copy(
            update={
                "name": wanted.name,
                "title": wanted.title,
                "role": wanted.role,
                "institution": wanted.institution,
                "skills": wanted.skills,
                "identity": None,
            }
        )
        before = audit_detail(row)
        role = account_fields.checked_role(session, row, wanted.role, vendor=wanted.vendor)
        account_fields.fill(session, row, person.model_copy(update={"role": row.role}))
        change_identity(session, actor, row, wanted.identity, pending, now)
        change_role(session, actor, row, role, pending, now)
        terms = account_fields.set_terms(
            session, board, row, vendor=wanted.vendor, expires_at=wanted.expires_at, by=actor
        )
        found = difference(before, audit_detail(row)) | terms
        if found:
            pending.entries.append((EntryKind.PERSON_CHANGED, row, found))
        return AccountOutcome(pending.close(session, board, actor, now, wanted.reason))


def set_role(
    board: BoardContext, by: Actor | PersonInfo, account: str, role: str, *, reason: str = ""
) -> AccountOutcome:
    """Change the role of an account; takes effect at once in open sessions, or waits."""
    return _set_role(board, require_actor(by, "person.manage"), account, role, reason)


def follow_provider(board: BoardContext, by: Actor, account: str, role: str) -> AccountOutcome:
    """Give the role that the settings map a provider's group to; one of approvers waits."""
    return _set_role(board, by, account, role, "")


@repeat_on_conflict
def _set_role(
    board: BoardContext, actor: Actor, account: str, role: str, reason: str
) -> AccountOutcome:
    now = board.clock()
    with board.database.transaction() as session:
        row, pending = find(session, account), PendingEntries()
        before = audit_detail(row)
        change_role(
            session, actor, row, account_fields.checked_role(session, row, role), pending, now
        )
        found = difference(before, audit_detail(row))
        if found:
            pending.entries.append((EntryKind.PERSON_CHANGED, row, found))
        return AccountOutcome(pending.close(session, board, actor, now, reason))


@repeat_on_conflict
def set_active(
    board: BoardContext,
    by: Actor | PersonInfo,
    account: str,
    *,
    active: bool,
    reason: str = "",
) -> AccountOutcome:
    """Close or reopen an account; closing takes effect at once in open sessions.

    Reopening one with a role of approvers waits for a second person.
    """
    actor, now = require_actor(by, "person.manage"), board.clock()
    with board.database.transaction() as session:
        row, pending = find(session, account), PendingEntries()
        if row.active is active:
            return AccountOutcome()
        before = audit_detail(row)
        human = requests.human_of(session, account)
        if active:
            account_fields.require_not_expired(session, account, now)
        if active and row.role in PRIVILEGED:
            if not requests.is_alone(session, actor, human, now):
                pending.asked.append((Kind.OPEN, account, row.role, {"role": row.role}))
                return AccountOutcome(pending.close(session, board, actor, now, reason))
            pending.alone.append(f"{account} {row.role}")
        row.active = active
        kind = "open" if active else "closed"
        change = ChangedRight(account, kind, None, row.role, reason)
        history.record(session, change, str(actor), now)
        if not active:
            account_fields.end_sessions(session, account)
        pending.entries.append(
            (EntryKind.PERSON_CHANGED, row, difference(before, audit_detail(row)))
        )
        return AccountOutcome(pending.close(session, board, actor, now, reason))


@repeat_on_conflict
def set_identity(
    board: BoardContext, by: Actor | PersonInfo, account: str, identity: str | None
) -> AccountOutcome:
    """Set the human identity behind an account (`None`: only itself).

    Accounts of one human count as one for every separation of duties, also for earlier decisions.
    Separating an approver's accounts from each other waits for a second person.
    """
    actor, now = require_actor(by, "person.manage"), board.clock()
    with board.database.transaction() as session:
        row, pending = find(session, account), PendingEntries()
        before = audit_detail(row)
        wanted = account_fields.validated_identity(identity) if identity else None
        change_identity(session, actor, row, wanted, pending, now)
        found = difference(before, audit_detail(row))
        if found:
            pending.entries.append((EntryKind.PERSON_CHANGED, row, found))
        return AccountOutcome(pending.close(session, board, actor, now))


@repeat_on_conflict
def join_accounts(board: BoardContext, by: Actor | PersonInfo, one: str, other: str) -> str:
    """Record that two accounts belong to one human; returns their common identity."""
    actor, now = require_actor(by, "person.manage"), board.clock()
    with board.database.transaction() as session:
        first, second = find(session, one), find(session, other)
        if first is second:
            raise Invalid(what=other, why=t("board.person.same"))
        human = first.identity or second.identity or first.person_id
        pending = PendingEntries()
        for row in session.scalars(select(Person).where(_same_humans(first, second))):
            before = audit_detail(row)
            if row.identity != human:
                change = ChangedRight(row.person_id, "identity", row.identity, human)
                history.record(session, change, str(actor), now)
            row.identity = human
            if found := difference(before, audit_detail(row)):
                pending.entries.append((EntryKind.PERSON_CHANGED, row, found))
        pending.close(session, board, actor, now)
        return human


def _same_humans(*rows: Person) -> Any:
    """Return the condition for all accounts of these humans: joining two joins them all."""
    named = [row.identity for row in rows if row.identity]
    return Person.identity.in_(named) | Person.person_id.in_(
        [*(row.person_id for row in rows), *named]
    )


def set_password(
    board: BoardContext, by: Actor | PersonInfo, account: str, password: str | None = None
) -> str:
    """Replace a person's password, by a one-time one if none is given; returns that.

    Sessions under the old one end. For an approver's account a second person must have allowed it.
    """
    actor = require_actor(by, "person.manage")
    grant = [(account, "password")]
    with board.database.reading() as session:
        row = session.get(Person, account)
        privileged = row is not None and row.role in PRIVILEGED and bool(row.active)
    if privileged:
        requests.require_all(board, actor, Kind.PASSWORD, grant)
    return _replace_password(board, actor, account, password, grant)


@repeat_on_conflict
def _replace_password(
    board: BoardContext,
    by: Actor,
    account: str,
    password: str | None,
    grant: list[tuple[str, str]],
) -> str:
    now = board.clock()
    with board.database.transaction() as session:
        row = find(session, account)
        privileged = row.role in PRIVILEGED and row.active
        used = requests.use_all(session, by, Kind.PASSWORD, grant, now) if privileged else []
        if password is None:
            made = passwords.set_one_time(session, board, row, now)
        else:
            made = ""
            passwords.set_new(session, board, row, password, now)
        record(session, board, by, EntryKind.PERSON_CHANGED, row, {"password": "replaced"})
        if privileged:
            requests.record_used(session, by, Kind.PASSWORD, grant, used, now)
        return made


@repeat_on_conflict
def set_locked(
    board: BoardContext, by: Actor | PersonInfo, account: str, *, locked: bool, reason: str = ""
) -> None:
    """Lock an account until a person unlocks it, or unlock it after failures."""
    actor = require_actor(by, "person.manage")
    with board.database.transaction() as session:
        row = find(session, account)
        state = account_fields.state_of(session, account)
        state.locked_until = account_fields.FOREVER if locked else None
        state.lock_reason = (reason or "-") if locked else ""
        if locked:
            account_fields.end_sessions(session, account)
        else:
            state.failures = 0
        session.flush()
        kind = EntryKind.ACCOUNT_LOCKED if locked else EntryKind.ACCOUNT_UNLOCKED
        record(session, board, actor, kind, row, {"reason": reason})
