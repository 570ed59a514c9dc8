"""Find who and what is behind a request: a person by an access token in `Authorization: Bearer` or
a session, an open page by its header.

The application looks the caller up before any route runs and keeps them in `request.state`.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from guardia.board.core.context import BoardContext
from guardia.errors import Forbidden
from guardia.org.directory import PersonInfo
from guardia.org.tokens import TOKEN_PREFIX


def bearer_token(request: Request) -> str | None:
    """Return the token of a request, or `None` without an `Authorization` header.

    A request with the header is authenticated by that token alone: a cookie beside it is ignored.
    """
    given = request.headers.get("authorization")
    if given is None:
        return None
    scheme, _, secret = given.partition(" ")
    known = scheme.lower() in {"bearer", "token"} and secret.startswith(TOKEN_PREFIX)
    return secret if known else ""


def is_fragment(request: Request) -> bool:
    """Return whether the script of an open page asks, which replaces only a part of it."""
    return request.headers.get("hx-request") == "true"


async def caller(request: Request) -> PersonInfo:
    """Return the person who is signed in or whose token the request carries."""
    found: PersonInfo | None = getattr(request.state, "person", None)
    if found is None:
        raise Forbidden(who=request.method, action=request.url.path)
    return found


def board_of(request: Request) -> BoardContext:
    """Return the context of the board that this application serves."""
    board: BoardContext = request.app.state.board
    return board


async def _served_board(request: Request) -> BoardContext:
    return board_of(request)


# Coroutines, because FastAPI sends each dependency that is a plain function to a thread.
Caller = Annotated[PersonInfo, Depends(caller)]
BoardDep = Annotated[BoardContext, Depends(_served_board)]
