"""Coming in and going out: sessions of people, each a short transaction."""

from __future__ import annotations

from dataclasses import dataclass

from guardia.board.core.context import Desk
from guardia.errors import Throttled
from guardia.org import access, throttle
from guardia.org.directory import PersonName

PER_PAIR, PER_ACCOUNT, PER_PLACE = 5, 100, 50
"""Failures within ``throttle.WINDOW``: of an account from one place, from all, and of one place."""
HOST = "host"
"""The place of whoever works on the command line."""


@dataclass(frozen=True, slots=True)
class _Try:
    numbers: list[int]
    pair: str


def sign_in(desk: Desk, account: str, password: str, place: str = HOST) -> str | None:
    """A new session's token, or ``None``; never says which of the two was wrong.

    ``Throttled`` after too many failures, whether such an account exists or not.
    """
    tried = _admitted(desk, account, place)
    with desk.database.transaction() as session:
        token = access.sign_in(session, account, password, desk.clock())
        if token:
            throttle.succeeded(session, tried.numbers, tried.pair)
        return token


def _admitted(desk: Desk, account: str, place: str) -> _Try:
    # A transaction of its own: whatever becomes of the check, the try is counted.
    pair = f"{place}|{account}"
    limits = {pair: PER_PAIR, f"|{account}": PER_ACCOUNT, f"{place}|": PER_PLACE}
    with desk.database.transaction() as session:
        numbers = throttle.admit(session, limits, desk.clock())
    if numbers is None:
        raise Throttled()
    return _Try(numbers, pair)


def sign_out(desk: Desk, token: str) -> None:
    """End a session."""
    with desk.database.transaction() as session:
        access.sign_out(session, token)


def person_behind(desk: Desk, account: str, password: str) -> PersonName | None:
    """Who proves to be the holder of an account, without staying signed in; ``None`` else."""
    token = sign_in(desk, account, password)
    if token is None:
        return None
    with desk.database.transaction() as session:
        person = access.signed_in(session, token, desk.clock())
        access.sign_out(session, token)
        return person
