"""Slack's side: a workspace that signs and sends requests, and its Web API over HTTP.

`slack_sdk` signs the requests and reads the channels, and `slack_bolt` accepts the same requests
(`test_slack.py`), so both sides of the protocol are Slack's own.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from slack_sdk import WebClient
from slack_sdk.signature import SignatureVerifier
from starlette.testclient import TestClient

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
TOKEN = "xoxb-workspace-token"
BOT = "U0GUARDIA"
_numbers = itertools.count(1)


class SlackApi(ThreadingHTTPServer):
    """The Web API and the addresses of pressed buttons."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.messages: dict[str, list[dict[str, Any]]] = {}
        """By channel."""
        self.answers: list[dict[str, Any]] = []
        """What was sent to a `response_url`."""
        self.refusals: list[tuple[int, dict[str, str], dict[str, Any]]] = []
        """Answers to the next calls of `chat.postMessage`: status, headers, body."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def client(self) -> WebClient:
        """Return Slack's own client for this API."""
        return WebClient(token=TOKEN, base_url=f"{self.address}/api/")

    def add(self, channel: str, message: dict[str, Any]) -> dict[str, Any]:
        stamped = {"type": "message", "ts": f"{time.time():.0f}.{next(_numbers):06}", **message}
        self.messages.setdefault(channel, []).append(stamped)
        return stamped


class _Call(BaseHTTPRequestHandler):
    server: SlackApi

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        url = urlsplit(self.path)
        if "json" in self.headers.get("content-type", ""):
            given = json.loads(body)
        else:
            given = {k: v[0] for k, v in parse_qs(body.decode() or url.query).items()}
        if url.path.startswith("/actions/"):
            self.server.answers.append(given)
            return self._answer(200, {}, "ok")
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            return self._answer(200, {}, {"ok": False, "error": "invalid_auth"})
        method = getattr(self, url.path.removeprefix("/api/").replace(".", "_"))
        return self._answer(*method(given))

    do_GET = do_POST

    def chat_postMessage(self, given: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        if self.server.refusals:
            return self.server.refusals.pop(0)
        if given["channel"] not in self.server.messages:
            return 200, {}, {"ok": False, "error": "channel_not_found"}
        message = self.server.add(
            given["channel"], {**given, "user": BOT, "bot_id": "B1", "channel": None}
        )
        return 200, {}, {"ok": True, "channel": given["channel"], "ts": message["ts"]}

    def conversations_history(self, given: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        found = [m for m in self.server.messages[given["channel"]] if "thread_ts" not in m]
        return 200, {}, {"ok": True, "messages": found[::-1]}

    def conversations_replies(self, given: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        ts = given["ts"]
        found = [
            m for m in self.server.messages[given["channel"]] if ts in {m["ts"], m.get("thread_ts")}
        ]
        return 200, {}, {"ok": True, "messages": found}

    def auth_test(self, _given: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        return 200, {}, {"ok": True, "user_id": BOT, "bot_id": "B1", "team_id": "T1"}

    def _answer(self, status: int, headers: dict[str, str], body: Any) -> None:
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None: ...


@dataclass
class SlackRequest:
    """A request as it arrives: path, headers and body."""

    path: str
    headers: dict[str, str]
    body: str


def signed(
    path: str, body: str, content_type: str, *, secret: str = SECRET, age: float = 0.0, **more: str
) -> SlackRequest:
    """Return a request signed with Slack's own library."""
    stamp = str(int(time.time() - age))
    signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=body)
    assert signature is not None
    headers = {
        "content-type": content_type,
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": signature,
        **more,
    }
    return SlackRequest(path, headers, body)


@dataclass
class Slack:
    """A workspace whose app leads to the board."""

    client: TestClient
    api: SlackApi
    sent: list[SlackRequest] = field(default_factory=list)

    def send(self, request: SlackRequest) -> httpx.Response:
        """Deliver a request."""
        self.sent.append(request)
        return self.client.post(
            request.path, content=request.body.encode(), headers=request.headers
        )

    def say(
        self,
        text: str,
        channel: str = "C0OPS",
        user: str = "U0KIM",
        *,
        kinds: tuple[str, ...] = ("message",),
        **more: Any,
    ) -> dict[str, Any]:
        """Write a message as a person, and deliver its events; return the message."""
        self.api.messages.setdefault(channel, [])
        message = self.api.add(channel, {"user": user, "text": text, **more})
        for kind in kinds:
            assert self.send(self.event(message, channel, type=kind)).status_code == 200
        return message

    def event(self, message: dict[str, Any], channel: str, **more: Any) -> SlackRequest:
        """Return the request that brings a message."""
        body = {
            "token": "deprecated",
            "team_id": "T1",
            "api_app_id": "A1",
            "event": {"channel": channel, "channel_type": "channel", **message, **more},
            "type": "event_callback",
            "event_id": f"Ev{next(_numbers):08}",
            "event_time": int(time.time()),
            "authorizations": [
                {"team_id": "T1", "user_id": BOT, "is_bot": True, "enterprise_id": None}
            ],
            "is_ext_shared_channel": False,
        }
        return signed("/intake/slack/events", json.dumps(body), "application/json")

    def command(self, text: str, user: str = "kim", **more: str) -> SlackRequest:
        """Return the request of a slash command."""
        fields = {
            "token": "deprecated",
            "team_id": "T1",
            "team_domain": "ops",
            "channel_id": "C0OPS",
            "channel_name": "ops",
            "user_id": f"U0{user.upper()}",
            "user_name": user,
            "command": "/guardia",
            "text": text,
            "response_url": f"{self.api.address}/actions/T1/1/x",
            "trigger_id": f"t{next(_numbers)}.1",
            "api_app_id": "A1",
            **more,
        }
        form = "application/x-www-form-urlencoded"
        return signed("/intake/slack/commands", urlencode(fields), form)

    def press(
        self, message: dict[str, Any], by: str = "lee", *, channel: str = "C0OPS", **more: Any
    ) -> SlackRequest:
        """Return the request of a press of a message's first button."""
        (actions,) = (b for b in message["blocks"] if b["type"] == "actions")
        button = actions["elements"][0]
        payload = {
            "type": "block_actions",
            "team": {"id": "T1", "domain": "ops"},
            "user": {"id": f"U0{by.upper()}", "username": by, "name": by, "team_id": "T1"},
            "api_app_id": "A1",
            "token": "deprecated",
            "container": {
                "type": "message",
                "message_ts": message.get("ts", ""),
                "thread_ts": message.get("thread_ts", ""),
                "channel_id": channel,
                "is_ephemeral": False,
            },
            "trigger_id": f"t{next(_numbers)}.2",
            "channel": {"id": channel, "name": "ops"},
            "message": message,
            "response_url": f"{self.api.address}/actions/T1/2/x",
            "actions": [
                {
                    "type": "button",
                    "action_id": button["action_id"],
                    "block_id": "b1",
                    "text": button["text"],
                    "value": button["value"],
                    "action_ts": f"{time.time():.6f}",
                }
            ],
            **more,
        }
        form = urlencode({"payload": json.dumps(payload)})
        return signed("/intake/slack/actions", form, "application/x-www-form-urlencoded")


@contextmanager
def slack_api() -> Iterator[SlackApi]:
    """Serve the Web API on loopback."""
    with SlackApi() as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield found
        found.shutdown()
