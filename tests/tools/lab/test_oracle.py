"""What an oracle reads from a port."""

from __future__ import annotations

import asyncio
import socket

import pytest
from run_coroutine import run_in_own_loop

from guardia.tools.lab.oracle import OracleResult, http_get, probe_health


def respond(response: bytes) -> OracleResult:
    """Probe a server that sends `response`."""

    async def live() -> OracleResult:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(response)
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        result = await probe_health(server.sockets[0].getsockname()[1])
        server.close()
        return result

    result = run_in_own_loop(live())
    assert isinstance(result, OracleResult)
    return result


def test_a_healthy_server_is_good() -> None:
    result = respond(b'HTTP/1.0 200 OK\r\n\r\n{"version": "1.2"}')
    assert result == OracleResult(True, {"status": 200, "version": "1.2"})


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (b'HTTP/1.0 500 Oops\r\n\r\n{"version": "1.2"}', 500),
        (b"HTTP/1.0 503 Oops\r\n\r\nnot json", 503),
        (b"", None),
        (b"nonsense", None),
    ],
)
def test_any_other_response_is_not_good(response: bytes, status: int | None) -> None:
    result = respond(response)
    assert not result.good
    assert result.evidence["status"] == status


def test_a_closed_port_is_no_response() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        assert run_in_own_loop(http_get(port, "/")) == (None, {})
