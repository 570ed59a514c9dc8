"""Believe a reverse proxy's word about the client, if the proxy is a trusted one."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from guardia.addresses import IPNetwork, is_within, parse_address

_FOR, _SCHEME = "x-forwarded-for", "x-forwarded-proto"
_MOST_HOPS = 16
_SCHEMES = {"http", "https"}


class ProxyMiddleware:
    """ASGI middleware that sets the client's address and scheme of a request.

    The outermost one: everything within reads them from the request, never from a header.
    """

    def __init__(self, app: ASGIApp, proxies: Sequence[IPNetwork]) -> None:
        self.app, self._proxies = app, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Replace what the proxy's connection shows by what the proxy says."""
        if scope["type"] == "http" and self._is_proxy(scope):
            headers = Headers(scope=scope)
            if client := self._client(headers.getlist(_FOR)):
                scope["client"] = (client, 0)
            # The last value is the one that our own proxy has added.
            scheme = ",".join(headers.getlist(_SCHEME)).rpartition(",")[2].strip().lower()
            if scheme in _SCHEMES:
                scope["scheme"] = scheme
        await self.app(scope, receive, send)

    def _is_proxy(self, scope: Scope) -> bool:
        peer = scope.get("client")
        return peer is not None and is_within(parse_address(peer[0]), self._proxies)

    def _client(self, lines: list[str]) -> str | None:
        """Return the last address that is not one of our proxies': the others anyone can invent."""
        hops = [hop for line in lines for hop in line.split(",")][-_MOST_HOPS:]
        for hop in reversed(hops):
            address = parse_address(hop)
            if address is None:
                return None
            if not is_within(address, self._proxies):
                return str(address)
        return None
