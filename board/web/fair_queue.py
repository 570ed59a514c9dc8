"""Work on few requests of one visitor at a time, so that one visitor's flood delays only itself.

All requests share the process's threads, its database connections and its processor. Of a thousand
requests that one visitor sends at once, a few are answered at a time; the others wait here, where
waiting costs nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guardia.addresses import source_of
from guardia.board.web.rates import RateLimit

AT_ONCE = 4
"""Requests of one visitor that are worked on at the same time."""
WAITING = 100
"""Requests of one visitor that may wait; further ones are refused."""
STREAMS_PER_MINUTE = 120
"""Live streams that one visitor may open. A refused browser tries again later and later."""
STOPPING = ("/kill", "/api/v3/kill-switch")
"""Requests that never wait."""
_STREAM = "/events"
_BODILESS = {"GET", "HEAD", "OPTIONS"}
_READ_AHEAD = 256 * 1024
"""Bytes of a body that are read before its request waits for a place: a body that never ends must
not hold one."""
_INTAKE = "/intake/"
"""A messenger's requests are never refused here: one of them may be the word that stops."""


@dataclass(slots=True)
class _Line:
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    requests: int = 0
    """Requests that wait or are worked on."""


class FairQueueMiddleware:
    """ASGI middleware that queues by session, token or address. A stream waits only to begin."""

    def __init__(self, app: ASGIApp, session_cookie: str) -> None:
        self.app, self._cookie = app, session_cookie
        self._lines: dict[str, _Line] = {}
        self._streams = RateLimit(STREAMS_PER_MINUTE, time.monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for a place, and give it back when the response begins or the request ends."""
        if scope["type"] != "http" or scope["path"].startswith(STOPPING):
            await self.app(scope, receive, send)
            return
        if scope["method"] not in _BODILESS:
            ahead = await _read_ahead(receive)
            if ahead is None:
                return
            receive = ahead
        key = self._key(scope)
        if scope["path"] == _STREAM and self._streams.take(key):
            await _refuse(send)
            return
        line = self._lines.setdefault(key, _Line())
        if line.requests >= AT_ONCE + WAITING and not scope["path"].startswith(_INTAKE):
            await _refuse(send)
            return
        line.requests += 1
        try:
            await self._work(line, scope, receive, send)
        finally:
            line.requests -= 1
            if not line.requests:
                del self._lines[key]

    async def _work(self, line: _Line, scope: Scope, receive: Receive, send: Send) -> None:
        await line.places.acquire()
        held = True

        def give_back() -> None:
            nonlocal held
            if held:
                held = False
                line.places.release()

        async def send_and_give_back(message: Message) -> None:
            if message["type"] == "http.response.start":
                give_back()
            await send(message)

        try:
            await self.app(scope, receive, send_and_give_back)
        finally:
            give_back()

    def _key(self, scope: Scope) -> str:
        headers = Headers(scope=scope)
        secret = headers.get("authorization") or _cookie(headers.get("cookie", ""), self._cookie)
        if secret and not scope["path"].startswith(_INTAKE):
            return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
        peer = scope.get("client")
        return source_of(peer[0]) if peer else "-"


async def _read_ahead(receive: Receive) -> Receive | None:
    """Read the body, and return a `receive` that repeats it; a refusal is raised only there.

    Returns `None` if the client is gone: its request needs no answer.
    """
    messages: list[Message] = []
    refusal: HTTPException | None = None
    size = 0
    try:
        while size < _READ_AHEAD:
            messages.append(await receive())
            if messages[-1]["type"] == "http.disconnect":
                return None
            size += len(messages[-1].get("body", b""))
            if not messages[-1].get("more_body", False):
                break
    except HTTPException as error:
        refusal = error
    messages.reverse()

    async def repeat() -> Message:
        if messages:
            return messages.pop()
        if refusal is not None:
            raise refusal
        return await receive()

    return repeat


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


async def _refuse(send: Send) -> None:
    headers = [
        (b"retry-after", b"5"),
        (b"connection", b"close"),
        (b"content-type", b"text/plain; charset=utf-8"),
    ]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": b"too many requests at once\n"})
