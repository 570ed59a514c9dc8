"""The fleet's control socket: one JSON object per line each way, only for who may open the file."""

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
    """Answer requests on ``path`` (made 0600)."""

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError):
            while line := await reader.readline():
                answer = await _answer(handler, line)
                writer.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
                await writer.drain()
        writer.close()

    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(session, path, limit=_LINE_LIMIT)
    path.chmod(0o600)
    return server


async def _answer(handler: Handler, line: bytes) -> dict[str, Any]:
    try:
        return {"ok": True, "result": await handler(json.loads(line))}
    except GuardiaError as error:
        detail = {name: str(value) for name, value in error.detail.items()}
        return {"ok": False, "error": type(error).__name__, "detail": detail}
    except Exception as error:  # the caller shall see what broke, and the fleet shall go on
        why = f"{type(error).__name__}: {error}"
        return {"ok": False, "error": "ProgrammerError", "detail": {"why": why}}


def send_request(path: Path, **request: object) -> Any:
    """One request; raises what the fleet raised, ``NotFound`` where no fleet answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_TIMEOUT_SECONDS)
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as lines:
                answer = json.loads(lines.readline() or b"{}")
        except (OSError, ValueError):
            raise NotFound(what=t("lab.fleet")) from None
    if answer.get("ok"):
        return answer["result"]
    raise _error(answer)


def _error(answer: dict[str, Any]) -> GuardiaError:
    kind = getattr(errors, str(answer.get("error")), errors.ProgrammerError)
    found: GuardiaError = kind(**answer.get("detail", {"why": "no answer"}))
    return found


def ping(path: Path) -> None:
    """``NotFound`` where nobody listens."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            raise NotFound(what=t("lab.fleet")) from None
