"""Coming in and going out: sessions of people, each a short transaction."""

from __future__ import annotations

from guardia.board.desk.core import Desk
from guardia.org import access
from guardia.org.directory import PersonName


def sign_in(desk: Desk, account: str, password: str) -> str | None:
    """A new session's token, or ``None``; never says which of the two was wrong."""
    with desk.database.transaction() as session:
        return access.sign_in(session, account, password, desk.clock())


def sign_out(desk: Desk, token: str) -> None:
    """End a session."""
    with desk.database.transaction() as session:
        access.sign_out(session, token)


def person_behind(desk: Desk, account: str, password: str) -> PersonName | None:
    """Who proves to be the holder of an account, without staying signed in; ``None`` else."""
    now = desk.clock()
    with desk.database.transaction() as session:
        token = access.sign_in(session, account, password, now)
        person = access.signed_in(session, token, now) if token else None
        if token:
            access.sign_out(session, token)
        return person
