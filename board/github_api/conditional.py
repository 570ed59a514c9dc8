"""Routes whose answers have an `ETag`; an unchanged one is 304 without a body."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

_KEPT = ("link", "last-modified", "vary")
"""Headers that a 304 repeats."""


class ConditionalRoute(APIRoute):
    """A route whose answers to GET carry a hash of their body, which is built once."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, which compares the hash with what the client has."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            response = await inner(request)
            if request.method != "GET" or response.status_code != 200:
                return response
            return _answer(request, response)

        return handle


def _answer(request: Request, response: Response) -> Response:
    tag = f'W/"{hashlib.sha256(bytes(response.body)).hexdigest()}"'
    headers = {"etag": tag, "cache-control": "private, max-age=0, must-revalidate"}
    headers["vary"] = "Accept, Authorization, Cookie"
    if _matches(request.headers.get("if-none-match", ""), tag):
        kept = {name: response.headers[name] for name in _KEPT if name in response.headers}
        return Response(status_code=304, headers=kept | headers)
    response.headers.update(headers)
    return response


def _matches(given: str, tag: str) -> bool:
    """Return whether a list of tags names this one; weak and strong ones compare equal."""
    names = {part.strip().removeprefix("W/") for part in given.split(",")}
    return "*" in names or tag.removeprefix("W/") in names
