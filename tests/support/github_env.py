"""A real board process with a token for each person, for GitHub's clients."""

from __future__ import annotations

from collections.abc import Iterable

from board_env import BoardEnv

from guardia.board.accounts import tokens
from guardia.org.access import PERMISSIONS, is_allowed
from guardia.org.model import Person
from guardia.org.tokens import SESSION_ONLY_ACTIONS


def token_of(env: BoardEnv, person_id: str, rights: Iterable[str] | None = None) -> str:
    """Return a token of a person, with all rights that a token may carry unless some are named."""
    with env.board.database.reading() as session:
        person = session.get_one(Person, person_id).as_info()
    wanted = [
        action
        for action in (PERMISSIONS if rights is None else rights)
        if is_allowed(person, action) and action not in SESSION_ONLY_ACTIONS
    ]
    return tokens.create_token(env.board, person, "github", wanted, 7)
