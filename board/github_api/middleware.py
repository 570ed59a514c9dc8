"""What every answer of the dialect has: headers of the rate limit and of the version."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guardia.board.github_api.addresses import PREFIX
from guardia.board.web.rates import RateState


class DialectMiddleware:
    """Adds the headers, and takes a doubled slash after the prefix for one.

    Octokit joins a base address that ends with a slash and a path that begins with one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or not scope["path"].startswith(f"{PREFIX}/"):
            await self._app(scope, receive, send)
            return
        rest = scope["path"].removeprefix(PREFIX).lstrip("/")
        scope["path"] = f"{PREFIX}/{rest}"

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(MutableHeaders(scope=message), scope.get("state", {}))
            await send(message)

        await self._app(scope, receive, answer)


def _add_headers(headers: MutableHeaders, state: Any) -> None:
    headers["x-github-media-type"] = "github.v3; format=json"
    found: RateState | None = state.get("rate")
    if found is None:
        return
    headers["x-ratelimit-limit"] = str(found.limit)
    headers["x-ratelimit-remaining"] = str(found.remaining)
    headers["x-ratelimit-used"] = str(found.used)
    headers["x-ratelimit-reset"] = str(found.reset)
    headers["x-ratelimit-resource"] = "core"
