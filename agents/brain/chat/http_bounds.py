"""An HTTP client that ends an answer which is longer than any right one, or drips on too long.

The model servers' libraries use one of two libraries for HTTP, which are the same but for the name.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

_MAX_BYTES = 256 * 1024


def bounded_client(http: Any, timeout: tuple[float, float, float, float]) -> Any:
    """A client of the library ``http``, for one answer that begins now.

    ``timeout``: seconds to connect, read, write, and for a place in the pool. No proxy or address
    of the environment comes between this host and the model server.
    """
    deadline = time.monotonic() + timeout[1]
    transport = _transport(http)(deadline)
    return http.Client(transport=transport, timeout=timeout, trust_env=False)


@cache
def _ssl_context() -> ssl.SSLContext:
    """The system's certificates, among which an institution installs its own authority."""
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
                    raise ValueError("the answer is too long")
                if time.monotonic() > self._deadline:
                    raise http.ReadTimeout("the answer drips")
                yield part

        def close(self) -> None:
            self._stream.close()

    return Body
