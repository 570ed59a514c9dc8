"""Which program calls: a person's, by an access token in ``Authorization: Bearer``.

The application looks the caller up before any route runs and keeps them in ``request.state``.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from guardia.board.core.context import BoardContext
from guardia.errors import Forbidden
from guardia.org.directory import PersonInfo
from guardia.org.tokens import TOKEN_PREFIX


def bearer_token(request: Request) -> str | None:
    """The token that a request carries; ``None`` where it carries no ``Authorization`` at all.

    Whoever sends one is that token's holder or nobody: a cookie beside it does not count.
    """
    given = request.headers.get("authorization")
    if given is None:
        return None
    scheme, _, secret = given.partition(" ")
    known = scheme.lower() in {"bearer", "token"} and secret.startswith(TOKEN_PREFIX)
    return secret if known else ""


def caller(request: Request) -> PersonInfo:
    """The person whose program calls, or who is signed in."""
    found: PersonInfo | None = getattr(request.state, "person", None)
    if found is None:
        raise Forbidden(who=request.method, action=request.url.path)
    return found


def board_of(request: Request) -> BoardContext:
    """The desk that this application serves."""
    board: BoardContext = request.app.state.board
    return board


Caller = Annotated[PersonInfo, Depends(caller)]
BoardDep = Annotated[BoardContext, Depends(board_of)]
