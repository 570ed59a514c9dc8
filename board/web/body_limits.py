"""How many bytes a request may have and how many seconds it may take to arrive, by its address."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """The bounds of one kind of route."""

    prefix: str
    bytes: int
    seconds: float


BODY_LIMITS = (
    BodyLimit("/login", 8 * 1024, 10.0),
    BodyLimit("/intake/", 64_000, 10.0),
    BodyLimit("/", 256 * 1024, 30.0),
)
"""The first one that fits counts. The longest form is a description of 20,000 characters."""

LONGEST_SECONDS = max(limit.seconds for limit in BODY_LIMITS) + 5.0
"""A connection that sends a body for longer is ended, whether its route reads the body or not."""


class BodyLimitMiddleware:
    """ASGI middleware that refuses a body which is too large (413) or too slow (408)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Bound what the application reads."""
        if scope["type"] == "http":
            receive = _limited(limit_of(scope["path"]), scope, receive)
        await self.app(scope, receive, send)


def limit_of(path: str) -> BodyLimit:
    """Return the bounds of a path."""
    return next(limit for limit in BODY_LIMITS if path.startswith(limit.prefix))


def _limited(limit: BodyLimit, scope: Scope, receive: Receive) -> Receive:
    content_length = Headers(scope=scope).get("content-length", "")
    # Raised on reading the body, so that it becomes an ordinary error page.
    too_large = content_length.isdecimal() and int(content_length[:20]) > limit.bytes
    total, complete = 0, False
    deadline = asyncio.get_running_loop().time() + limit.seconds

    async def receive_limited() -> Message:
        nonlocal total, complete
        if too_large:
            raise HTTPException(413)
        if complete:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408) from None
        total += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if total > limit.bytes:
            raise HTTPException(413)
        return message

    return receive_limited
