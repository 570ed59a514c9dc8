"""Sign-in and sign-out, with failures slowed down by account and address.

Many failures of one account slow it down for addresses that are new to it, to one attempt each, and
never shut its owner out. A device that has signed in before has an allowance of its
own, which strangers cannot use up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.accounts import account_fields, sessions
from guardia.board.audit.kinds import EntryKind
from guardia.board.core import outbox
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.notice_kinds import NoticeKind
from guardia.db.engine import repeat_on_conflict
from guardia.errors import PasswordChangeNeeded, Throttled
from guardia.i18n import t_default
from guardia.org import access, known_devices, throttle
from guardia.org.account_model import AccountState, SignInRecord
from guardia.org.directory import PersonInfo
from guardia.org.model import Person
from guardia.text import trim

PER_PAIR, PER_ACCOUNT, PER_SOURCE, PER_DEVICE = 5, 100, 50, 10
"""Failures within `throttle.WINDOW`: of an account from one source, of an account (then its sources
have `PER_PAIR_UNDER_ATTACK`), of a source, and of an account on a device that it has used."""
PER_PAIR_UNDER_ATTACK = 1
LOCAL_SOURCE = "host"
"""Source of an attempt on the command line."""
_UNLIMITED = 1 << 31
_MAX_AGENT = 200


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that is counted and may be made."""

    account: str
    device: str
    """The secret of the device, if it is known; else empty."""
    numbers: tuple[int, ...]
    clear_key: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Secrets of a new session and of the device."""

    token: str
    device: str


@repeat_on_conflict
def begin(
    board: BoardContext, account: str, source: str = LOCAL_SOURCE, device: str = ""
) -> Attempt:
    """Count an attempt, in a transaction of its own: it counts even if the check fails.

    Raises `Throttled` after too many failures, whether the account exists or not.
    """
    now = board.clock()
    with board.database.transaction() as session:
        known = known_devices.is_known(session, account, device, now)
        if known:
            clear_key = f"device|{known_devices.hash_of(device)}"
            limits = {clear_key: PER_DEVICE}
        else:
            crowd, clear_key = f"|{account}", f"{source}|{account}"
            attacked = throttle.count_attempts(session, crowd, now) >= PER_ACCOUNT
            per_pair = PER_PAIR_UNDER_ATTACK if attacked else PER_PAIR
            limits = {clear_key: per_pair, crowd: _UNLIMITED, f"{source}|": PER_SOURCE}
        numbers = throttle.register_attempt(session, limits, now)
    if numbers is None:
        raise Throttled()
    return Attempt(account, device if known else "", tuple(numbers), clear_key)


def _is(proven: bool, _row: Person | None) -> bool:
    return proven


def _has_password(password: str, row: Person | None) -> bool:
    return access.is_password(row.password_hash if row else None, password)


@repeat_on_conflict
def forget(board: BoardContext, attempt: Attempt) -> None:
    """Count an attempt no longer: it succeeded."""
    with board.database.transaction() as session:
        throttle.clear_attempts(session, attempt.numbers, attempt.clear_key)


@dataclass(frozen=True, slots=True)
class Client:
    """Where a sign-in comes from."""

    source: str = LOCAL_SOURCE
    """Address of the client."""
    agent: str = ""
    """Its browser, as that names itself."""


Directory = Callable[[str, str], bool]
"""Checks an account and password elsewhere."""


@repeat_on_conflict
def open_session(
    board: BoardContext,
    attempt: Attempt,
    password: str,
    replaces: str = "",
    client: Client | None = None,
    directory: Directory | None = None,
) -> SignedIn | None:
    """Check the password; returns a new session, which ends the one that it `replaces`.

    An account without a password here is checked in the `directory`, before any transaction.
    Returns `None` without naming what was wrong: the id, the password, or that it is locked.
    """
    outside = directory is not None and _is_elsewhere(board, attempt.account)
    if directory is None or not outside:
        is_proven = partial(_has_password, password)
    else:
        is_proven = partial(_is, directory(attempt.account, password))

    way = "ldap" if outside else "password"
    return _open(board, attempt, is_proven, replaces=replaces, client=client or Client(), way=way)


def _is_elsewhere(board: BoardContext, account: str) -> bool:
    """Return whether an open account has no password here."""
    with board.database.reading() as session:
        row = session.get(Person, account)
        return row is not None and row.active and not row.password_hash


@repeat_on_conflict
def open_proven_session(
    board: BoardContext, account: str, way: str, replaces: str, client: Client, device: str = ""
) -> SignedIn | None:
    """Open a session for a person whom another system has proved (`way`), unless it is closed."""
    attempt = Attempt(account, device, (), "")
    return _open(board, attempt, lambda _row: True, replaces=replaces, client=client, way=way)


@repeat_on_conflict
def _open(
    board: BoardContext,
    attempt: Attempt,
    is_proven: Callable[[Person | None], bool],
    *,
    replaces: str = "",
    client: Client,
    way: str = "password",
) -> SignedIn | None:
    now = board.clock()
    with board.database.transaction() as session:
        token = _check(session, board, attempt, is_proven, now, client, way)
        if token is None:
            return None
        if replaces:
            access.sign_out(session, replaces)
        device = known_devices.remember(session, attempt.account, attempt.device, now)
        return SignedIn(token, device)


@repeat_on_conflict
def sign_in(
    board: BoardContext, account: str, password: str, source: str = LOCAL_SOURCE
) -> str | None:
    """Return a new session's token, or `None`, without remembering a device.

    Raises `Throttled` after too many failures.
    """
    attempt = begin(board, account, source)
    with board.database.transaction() as session:
        return _check(
            session,
            board,
            attempt,
            partial(_has_password, password),
            board.clock(),
            Client(source),
            "password",
        )


def _check(
    session: Session,
    board: BoardContext,
    attempt: Attempt,
    is_proven: Callable[[Person | None], bool],
    now: datetime,
    client: Client,
    way: str,
) -> str | None:
    found = _prove(session, board, attempt, is_proven, now, client, way)
    return _begin_session(session, board, *found, now, client) if found else None


def _prove(
    session: Session,
    board: BoardContext,
    attempt: Attempt,
    is_proven: Callable[[Person | None], bool],
    now: datetime,
    client: Client,
    way: str,
) -> tuple[Person, AccountState] | None:
    """Return the account if the attempt may sign in; every attempt is recorded."""
    proven = is_proven(session.get(Person, attempt.account))
    # Locked after the slow check, so that parallel attempts do not wait for each other.
    row = session.get(Person, attempt.account, with_for_update=True if proven else None)
    if row is None:
        return None
    state = account_fields.state_of(session, row.person_id)
    outcome = _outcome(board, row, state, attempt, now, proven=proven)
    session.add(
        SignInRecord(
            person_id=row.person_id, at=now, source=client.source, way=way, outcome=outcome
        )
    )
    if outcome == "wrong":
        _count_failure(session, board, row, state, attempt, now)
    if outcome != "in":
        return None
    if attempt.clear_key:
        throttle.clear_attempts(session, attempt.numbers, attempt.clear_key)
    return row, state


def _outcome(
    board: BoardContext,
    row: Person,
    state: AccountState,
    attempt: Attempt,
    now: datetime,
    *,
    proven: bool,
) -> str:
    spared = attempt.device and not board.accounts.lock_known_devices
    locked = state.locked_until is not None and state.locked_until > now
    if locked and not (spared and state.lock_reason == access.FAILURES):
        return "locked"
    if not proven:
        return "wrong"
    return "in" if access.is_usable(row, state, now) else "closed"


def _begin_session(
    session: Session,
    board: BoardContext,
    row: Person,
    state: AccountState,
    now: datetime,
    client: Client,
) -> str:
    most = board.accounts.sessions_per_person
    if most:
        sessions.end_oldest(session, row.person_id, keep=most - 1)
    token = access.open_session(
        session,
        row.person_id,
        now,
        source=client.source,
        agent=trim(client.agent, _MAX_AGENT),
        previous_at=state.signed_in_at,
        previous_from=state.signed_in_from,
        failures=state.failures,
    )
    state.signed_in_at, state.signed_in_from = now, client.source
    state.failures = 0
    if state.lock_reason == access.FAILURES:
        state.locked_until, state.lock_reason = None, ""
    session.flush()
    return token


def _count_failure(
    session: Session,
    board: BoardContext,
    row: Person,
    state: AccountState,
    attempt: Attempt,
    now: datetime,
) -> None:
    """Count a failure; after too many the account is locked and security officers are notified."""
    policy = board.accounts
    state.failures += 1
    session.flush()
    counts = not attempt.device or policy.lock_known_devices
    if not policy.lock_failures or not counts or state.failures % policy.lock_failures:
        return
    state.locked_until = now + timedelta(minutes=policy.lock_minutes)
    state.lock_reason = access.FAILURES
    session.flush()
    words = {"person": row.person_id, "count": state.failures, "minutes": policy.lock_minutes}
    officers = select(Person.person_id).where(Person.role == "security_officer", Person.active)
    outbox.notify(
        session,
        NoticeKind.ALERT,
        t_default("accounts.locked", **words),
        session.scalars(officers).all(),
        now,
        sr_id=None,
    )
    actor, what = Actor.system("accounts"), {"failures": state.failures}
    account_fields.record(session, board, actor, EntryKind.ACCOUNT_LOCKED, row, what)


@repeat_on_conflict
def sign_out(board: BoardContext, token: str) -> None:
    """End a session."""
    with board.database.transaction() as session:
        access.sign_out(session, token)


@repeat_on_conflict
def sign_out_everywhere(board: BoardContext, person: PersonInfo) -> None:
    """End all sessions of a person and forget their devices; access tokens stay."""
    with board.database.transaction() as session:
        access.end_sessions(session, person.id)


@repeat_on_conflict
def authenticate(
    board: BoardContext, account: str, password: str, source: str = LOCAL_SOURCE
) -> PersonInfo | None:
    """Return the person if the password is right, without a session, or `None`.

    Raises `PasswordChangeNeeded` if the password must be changed first.
    """
    attempt = begin(board, account, source)
    now = board.clock()
    with board.database.transaction() as session:
        found = _prove(
            session,
            board,
            attempt,
            partial(_has_password, password),
            now,
            Client(source),
            "password",
        )
        if found is None:
            return None
        if access.must_change_password(found[1], board.accounts, now):
            raise PasswordChangeNeeded()
        return found[0].as_info()
