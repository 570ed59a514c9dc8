"""HTTP client that aborts a response that is too long or too slow.

The libraries of the model servers use one of two HTTP libraries, which differ only in their name.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

_MAX_BYTES = 256 * 1024


def bounded_client(http: Any, timeout: tuple[float, float, float, float]) -> Any:
    """Build a client of the library `http` for one response that starts now.

    `timeout` holds the seconds to connect, read, write, and wait for the pool. No proxy or address
    of the environment is used.
    """
    deadline = time.monotonic() + timeout[1]
    transport = _transport(http)(deadline)
    return http.Client(transport=transport, timeout=timeout, trust_env=False)


@cache
def _ssl_context() -> ssl.SSLContext:
    """Return a context with the system's certificates, to which an institution adds its own CA."""
    return ssl.create_default_context()


@cache
def _transport(http: Any) -> Any:
    class Bounded(http.HTTPTransport):  # type: ignore[misc]
        def __init__(self, deadline: float) -> None:
            super().__init__(verify=_ssl_context(), trust_env=False)
            self._deadline = deadline

        def handle_request(self, request: Any) -> Any:
            response = super().handle_request(request)
            response.stream = body(response.stream, self._deadline)
            return response

    body = _body(http)
    return Bounded


def _body(http: Any) -> Any:
    class Body(http.SyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any, deadline: float) -> None:
            self._stream = stream
            self._deadline = deadline

        def __iter__(self) -> Iterator[bytes]:
            size = 0
            for part in self._stream:
                size += len(part)
                if size > _MAX_BYTES:
                    raise ValueError("the response is too long")
                if time.monotonic() > self._deadline:
                    raise http.ReadTimeout("the response is too slow")
                yield part

        def close(self) -> None:
            self._stream.close()

    return Body
