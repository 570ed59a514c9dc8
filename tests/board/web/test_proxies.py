from __future__ import annotations

import asyncio
from typing import Any

import pytest

from guardia.addresses import parse_networks, source_of
from guardia.board.web.proxies import ProxyMiddleware

PROXIES = "10.0.0.1, 10.0.1.0/24, fd00::1"


def seen(peer: str | None, **headers: str | list[str]) -> tuple[str | None, str]:
    """What the application sees of a request from `peer`."""
    found: dict[str, Any] = {}

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        found.update(scope)

    raw = [
        (name.replace("_", "-").encode(), value.encode())
        for name, values in headers.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    scope: Any = {
        "type": "http",
        "client": (peer, 1) if peer else None,
        "scheme": "http",
        "headers": raw,
    }
    middleware = ProxyMiddleware(app, parse_networks(PROXIES))
    asyncio.run(middleware(scope, None, None))  # type: ignore[arg-type]
    client = found["client"]
    return (client[0] if client else None), found["scheme"]


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.2", "::1", "testclient", None])
def test_only_a_trusted_proxy_is_believed(peer: str | None) -> None:
    assert seen(peer, x_forwarded_for="1.2.3.4", x_forwarded_proto="https") == (peer, "http")


@pytest.mark.parametrize(
    ("line", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("1.1.1.1, 192.0.2.7", "192.0.2.7"),
        ("1.1.1.1,192.0.2.7, 10.0.1.9", "192.0.2.7"),
        (["1.1.1.1", "192.0.2.7"], "192.0.2.7"),
        ("192.0.2.7:51234", "192.0.2.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("10.0.1.9", "10.0.0.1"),
        ("1.1.1.1, unknown", "10.0.0.1"),
        ("1.1.1.1, ", "10.0.0.1"),
        ("x" * 9000, "10.0.0.1"),
        ("\r\n", "10.0.0.1"),
    ],
)
def test_the_last_address_that_is_no_proxys_is_the_clients(
    line: str | list[str], client: str
) -> None:
    assert seen("10.0.0.1", x_forwarded_for=line) == (client, "http")
    assert seen("::ffff:10.0.0.1", x_forwarded_for=line)[0] in {client, "::ffff:10.0.0.1"}


@pytest.mark.parametrize(
    ("value", "scheme"),
    [("https", "https"), ("HTTPS ", "https"), ("http, https", "https"), ("ftp", "http")],
)
def test_the_scheme_is_the_last_one_named(value: str, scheme: str) -> None:
    assert seen("fd00::1", x_forwarded_proto=value)[1] == scheme


def test_the_other_header_is_never_believed() -> None:
    assert seen("10.0.0.1", forwarded="for=1.2.3.4;proto=https") == ("10.0.0.1", "http")


def test_one_ipv6_network_is_one_source() -> None:
    assert source_of("2001:db8::1") == source_of("2001:db8::ffff:2") == "2001:db8::/64"
    assert source_of("2001:db8:0:1::1") != source_of("2001:db8::1")
    assert source_of("::ffff:192.0.2.7") == source_of("192.0.2.7") == "192.0.2.7"
