"""Messenger of the fleet: a channel with incoming webhooks as in Mattermost, and an alert receiver.

`POST /hooks/<token>` with `{"text", "channel", "username", "props"}` (JSON, or a form field
`payload` that holds it) is answered with `ok`; `POST /alerts/<token>` takes any JSON object. Both
are kept as JSON lines.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from guardia.tools.lab.ports import ADDRESS

_BODY_LIMIT = 1_000_000
_HEAD_SECONDS = 10.0


@dataclass(frozen=True)
class WebhookResponse:
    """The response to a caller of the webhook."""

    status: str
    body: str


OK = WebhookResponse("200 OK", "ok")


class Messenger:
    """Keeps posts in `folder`; posting requires `token`."""

    def __init__(self, folder: Path, token: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._token = token
        self._files = {"hooks": folder / "messages.jsonl", "alerts": folder / "alerts.jsonl"}

    @property
    def messages(self) -> Path:
        """The file of the channel's posts."""
        return self._files["hooks"]

    @property
    def alerts(self) -> Path:
        """The file of the alerts."""
        return self._files["alerts"]

    async def serve(self, port: int) -> asyncio.Server:
        """Listen on loopback."""
        return await asyncio.start_server(self._handle, ADDRESS, port, limit=65_536)

    def url(self, port: int, kind: str) -> str:
        """Return the webhook of `hooks` or `alerts`; it contains the token."""
        return f"http://{ADDRESS}:{port}/{kind}/{self._token}"

    def receive(self, method: str, path: str, kind: str, body: bytes) -> WebhookResponse:
        """Keep the content of one request, or reject it."""
        _, hook, token, *rest = [*path.split("/"), "", ""]
        if hook not in self._files or any(rest):
            return WebhookResponse("404 Not Found", "no such hook")
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return WebhookResponse("403 Forbidden", "invalid token")
        if method != "POST":
            return WebhookResponse("405 Method Not Allowed", "POST only")
        try:
            content = _content(kind, body)
        except ValueError:
            return WebhookResponse("400 Bad Request", "unable to parse the content")
        if hook == "hooks" and not content.get("text") and not content.get("attachments"):
            return WebhookResponse("400 Bad Request", "no text specified")
        line = json.dumps({**content, "received": time.time()}, ensure_ascii=False)
        with self._files[hook].open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        return OK

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(_HEAD_SECONDS):
                response = await self._answer(reader)
                body = response.body.encode()
                head = f"HTTP/1.1 {response.status}\r\nContent-Type: text/plain\r\n"
                head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                writer.write(head.encode("ascii") + body)
                await writer.drain()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> WebhookResponse:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _version = head[0].split(" ")
        fields = dict(line.lower().split(":", 1) for line in head[1:] if ":" in line)
        size = int(fields.get("content-length", "0"))
        if not 0 <= size <= _BODY_LIMIT:
            return WebhookResponse("413 Content Too Large", "too large")
        kind = fields.get("content-type", "").split(";")[0].strip()
        return self.receive(method, path.partition("?")[0], kind, await reader.readexactly(size))


def _content(kind: str, body: bytes) -> dict[str, Any]:
    text = body.decode("utf-8")
    if kind == "application/x-www-form-urlencoded":
        text = parse_qs(text).get("payload", [""])[0]
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def read_posts(path: Path) -> list[dict[str, Any]]:
    """Return what has been kept in a file so far, oldest first."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
