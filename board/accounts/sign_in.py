"""Sign-in and sign-out with throttling."""

from __future__ import annotations

from dataclasses import dataclass

from guardia.board.core.context import BoardContext
from guardia.errors import Throttled
from guardia.org import access, throttle
from guardia.org.directory import PersonInfo

PER_PAIR, PER_ACCOUNT, PER_SOURCE = 5, 100, 50
"""Failures allowed within `throttle.WINDOW`: per account and source, per account, per source."""
LOCAL_SOURCE = "host"
"""Source of an attempt on the command line."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    numbers: list[int]
    pair: str


def sign_in(
    board: BoardContext, account: str, password: str, source: str = LOCAL_SOURCE
) -> str | None:
    """Return a new session's token, or `None` without naming which of the two was wrong.

    Raises `Throttled` after too many failures, whether the account exists or not.
    """
    attempt = _register_attempt(board, account, source)
    with board.database.transaction() as session:
        token = access.sign_in(session, account, password, board.clock())
        if token:
            throttle.clear_attempts(session, attempt.numbers, attempt.pair)
        return token


def _register_attempt(board: BoardContext, account: str, source: str) -> _Attempt:
    # A transaction of its own, so that the attempt is counted even if the check fails.
    pair = f"{source}|{account}"
    limits = {pair: PER_PAIR, f"|{account}": PER_ACCOUNT, f"{source}|": PER_SOURCE}
    with board.database.transaction() as session:
        numbers = throttle.register_attempt(session, limits, board.clock())
    if numbers is None:
        raise Throttled()
    return _Attempt(numbers, pair)


def sign_out(board: BoardContext, token: str) -> None:
    """End a session."""
    with board.database.transaction() as session:
        access.sign_out(session, token)


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
