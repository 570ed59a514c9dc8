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
    method: str = ""
    """The only method that it is for; empty: every one."""
    pause: float | None = None
    """Most seconds between two pieces of the body."""


_UPLOAD = "/api/v3/artifacts/"
ATTACHMENTS = "/attachments/"
_ALERT_SOURCES = ("alertmanager", "grafana", "zabbix")
UPLOAD_SECONDS = 4 * 3600.0
BODY_LIMITS = (
    BodyLimit("/login", 8 * 1024, 10.0),
    # A message of Slack has its text twice with escapes, and a press has the whole message.
    BodyLimit("/intake/slack/", 512_000, 10.0),
    # A monitoring system takes a 4xx as final: a group of alerts must not be refused for its size.
    *(BodyLimit(f"/intake/{name}", 4 << 20, 30.0) for name in _ALERT_SOURCES),
    BodyLimit("/intake/", 64_000, 10.0),
    # The route bounds the size by a setting and writes the body to the disk as it arrives.
    BodyLimit(_UPLOAD, 1 << 40, UPLOAD_SECONDS, method="PUT", pause=30.0),
    BodyLimit("/documents", 256 << 20, 600.0, method="POST", pause=30.0),
    BodyLimit("/api/v3/documents", 65 << 20, 600.0, method="POST", pause=30.0),
    # The route bounds the size by a setting; this is the largest that the setting may have.
    BodyLimit(ATTACHMENTS, 201 << 20, 300.0, method="PUT", pause=30.0),
    BodyLimit("/host-keys/compare", 5 << 20, 60.0),
    BodyLimit("/org/edit", 2 << 20, 60.0),
    BodyLimit("/", 256 * 1024, 30.0),
)
"""The first one that fits counts. The longest form is a description of 20,000 characters."""

LONGEST_SECONDS = max(limit.seconds for limit in BODY_LIMITS if limit.pause is None) + 5.0
"""A connection that sends a body for longer is ended, whether its route reads the body or not."""


class BodyLimitMiddleware:
    """ASGI middleware that refuses a body which is too large (413) or too slow (408)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Bound what the application reads."""
        if scope["type"] == "http":
            receive = _limited(limit_of(scope["path"], scope["method"]), scope, receive)
        await self.app(scope, receive, send)


def limit_of(path: str, method: str) -> BodyLimit:
    """Return the bounds of a path."""
    return next(
        limit
        for limit in BODY_LIMITS
        if path.startswith(limit.prefix) and limit.method in {"", method}
    )


def is_upload(path: str, method: str) -> bool:
    """Return whether the body of a request may take as long as an upload."""
    return limit_of(path, method).pause is not None


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
            now = asyncio.get_running_loop().time()
            latest = deadline if limit.pause is None else min(deadline, now + limit.pause)
            async with asyncio.timeout_at(latest):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408) from None
        total += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if total > limit.bytes:
            raise HTTPException(413)
        return message

    return receive_limited
