"""Sign-in and sign-out, with failures slowed down by account and address.

Many failures of one account slow it down for addresses that are new to it, to one attempt each, and
never shut its owner out. A device that has signed in before has an allowance of its
own, which strangers cannot use up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Throttled
from guardia.org import access, known_devices, throttle
from guardia.org.directory import PersonInfo

PER_PAIR, PER_ACCOUNT, PER_SOURCE, PER_DEVICE = 5, 100, 50, 10
"""Failures within `throttle.WINDOW`: of an account from one source, of an account (then its sources
have `PER_PAIR_UNDER_ATTACK`), of a source, and of an account on a device that it has used."""
PER_PAIR_UNDER_ATTACK = 1
LOCAL_SOURCE = "host"
"""Source of an attempt on the command line."""
_UNLIMITED = 1 << 31


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


@repeat_on_conflict
def open_session(
    board: BoardContext, attempt: Attempt, password: str, replaces: str = ""
) -> SignedIn | None:
    """Check the password; returns a new session, which ends the one that it `replaces`.

    Returns `None` without naming which of the two was wrong.
    """
    now = board.clock()
    with board.database.transaction() as session:
        token = _check(session, attempt, password, now)
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
        return _check(session, attempt, password, board.clock())


def _check(session: Session, attempt: Attempt, password: str, now: datetime) -> str | None:
    token = access.sign_in(session, attempt.account, password, now)
    if token:
        throttle.clear_attempts(session, attempt.numbers, attempt.clear_key)
    return token


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
    """Return the person if the password is right, without a lasting session, or `None`."""
    token = sign_in(board, account, password, source)
    if token is None:
        return None
    with board.database.transaction() as session:
        person = access.person_of_session(session, token, board.clock())
        access.sign_out(session, token)
        return person
