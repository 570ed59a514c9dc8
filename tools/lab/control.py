"""Control socket of the fleet: one JSON object per line each way, protected by file mode."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from guardia import errors
from guardia.errors import GuardiaError, NotFound
from guardia.i18n import t

Handler = Callable[[dict[str, Any]], Awaitable[Any]]
_LINE_LIMIT = 1_000_000
_TIMEOUT_SECONDS = 60.0


async def serve(path: Path, handler: Handler) -> asyncio.Server:
    """Answer requests on the Unix socket `path` (mode 0600)."""

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError):
            while line := await reader.readline():
                response = await _respond(handler, line)
                writer.write(json.dumps(response, ensure_ascii=False).encode() + b"\n")
                await writer.drain()
        writer.close()

    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(session, path, limit=_LINE_LIMIT)
    path.chmod(0o600)
    return server


async def _respond(handler: Handler, line: bytes) -> dict[str, Any]:
    try:
        return {"ok": True, "result": await handler(json.loads(line))}
    except GuardiaError as error:
        detail = {name: str(value) for name, value in error.detail.items()}
        return {"ok": False, "error": type(error).__name__, "detail": detail}
    except Exception as error:  # report it to the caller and keep the fleet running
        why = f"{type(error).__name__}: {error}"
        return {"ok": False, "error": "ProgrammerError", "detail": {"why": why}}


def send_request(path: Path, *, within: float = _TIMEOUT_SECONDS, **request: object) -> Any:
    """Send one request and return its result.

    Raises the error of the fleet, or `NotFound` if no fleet listens.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(within)
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as lines:
                response = json.loads(lines.readline() or b"{}")
        except (OSError, ValueError):
            raise NotFound(what=t("lab.fleet")) from None
    if response.get("ok"):
        return response["result"]
    raise _error(response)


def _error(response: dict[str, Any]) -> GuardiaError:
    kind = getattr(errors, str(response.get("error")), errors.ProgrammerError)
    error: GuardiaError = kind(**response.get("detail", {"why": "no answer"}))
    return error


def ping(path: Path) -> None:
    """Raise `NotFound` if no fleet listens."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            raise NotFound(what=t("lab.fleet")) from None
