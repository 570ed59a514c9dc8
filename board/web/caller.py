"""Which program calls: a person's, by an access token in ``Authorization: Bearer``.

The application looks the caller up before any route runs and keeps them in ``request.state``.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from guardia.board.core.context import Desk
from guardia.errors import Forbidden
from guardia.org.directory import PersonName
from guardia.org.tokens import PREFIX


def bearer(request: Request) -> str | None:
    """The token that a request carries; ``None`` where it carries no ``Authorization`` at all.

    Whoever sends one is that token's holder or nobody: a cookie beside it does not count.
    """
    given = request.headers.get("authorization")
    if given is None:
        return None
    scheme, _, secret = given.partition(" ")
    known = scheme.lower() in {"bearer", "token"} and secret.startswith(PREFIX)
    return secret if known else ""


def caller(request: Request) -> PersonName:
    """The person whose program calls, or who is signed in."""
    found: PersonName | None = getattr(request.state, "person", None)
    if found is None:
        raise Forbidden(who=request.method, action=request.url.path)
    return found


def desk_of(request: Request) -> Desk:
    """The desk that this application serves."""
    desk: Desk = request.app.state.desk
    return desk


Caller = Annotated[PersonName, Depends(caller)]
AtDesk = Annotated[Desk, Depends(desk_of)]
