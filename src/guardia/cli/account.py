"""The account in whose name a command acts: its option, and the proof by password."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from guardia.errors import SignInFailed
from guardia.i18n import t

if TYPE_CHECKING:
    from guardia.board.core.context import BoardContext
    from guardia.org.directory import PersonInfo

As = Annotated[str, typer.Option("--as", help=t("cli.account.as"))]


def authenticate(board: BoardContext, who: str) -> PersonInfo:
    """Return the person of an account, proven by the password.

    The password comes from the environment or from a prompt.
    """
    return authenticate_with(board, who, ask_password(who))


def ask_password(who: str) -> str:
    """Return the password of an account from the environment or from a prompt."""
    password = os.environ.get("GUARDIA_PASSWORD")
    return password or str(typer.prompt(t("cli.account.password", who=who), hide_input=True))


def authenticate_with(board: BoardContext, who: str, password: str) -> PersonInfo:
    """Return the person of an account. Raises `SignInFailed` if the password is wrong."""
    from guardia.board.accounts import sign_in

    person = sign_in.authenticate(board, who, password)
    if person is None:
        raise SignInFailed()
    return person
