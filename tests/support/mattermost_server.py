"""Mattermost's side of its webhooks and buttons, as its server behaves.

The answer to an outgoing webhook becomes a message; the contexts of its buttons stay on the server.
A press is sent to the integration, which must answer 200 and may replace the message.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import httpx
from starlette.testclient import TestClient

SITE = "http://127.0.0.1:8420"
_numbers = itertools.count(1)


class ActionFailed(Exception):
    """The integration did not answer 200: the person who pressed sees an error."""


@dataclass
class RoomMessage:
    """One message of a room."""

    text: str
    props: dict[str, Any] = field(default_factory=dict)

    @property
    def buttons(self) -> list[dict[str, Any]]:
        """The actions that people see."""
        found = [a for one in self.props.get("attachments", []) for a in one.get("actions", [])]
        assert all(a["id"].isalnum() and a["name"] and a["integration"]["url"] for a in found)
        return found


@dataclass
class Mattermost:
    """A team with rooms, whose webhooks lead to the board."""

    client: TestClient
    token: str = "열쇠"
    messages: list[RoomMessage] = field(default_factory=list)
    ephemeral_messages: list[tuple[str, str]] = field(default_factory=list)
    """User and text of messages that only that user sees."""

    def post(self, text: str, room: str, user: str = "kim", **more: str) -> RoomMessage | None:
        """Post a line as a user; return the message made of the webhook's answer."""
        payload = {
            "token": self.token,
            "post_id": f"post{next(_numbers)}",
            "channel_name": room,
            "user_id": f"u-{user}",
            "user_name": user,
            "text": text,
            "trigger_word": "",
            **more,
        }
        answer = self.client.post("/intake/mattermost", json=payload)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        if body.get("text") is None and not body.get("attachments"):
            return None
        message = RoomMessage(body.get("text") or "")
        if body.get("attachments"):
            message.props["attachments"] = body["attachments"]
        self.messages.append(message)
        return message

    def command(self, text: str, user: str = "kim", **more: str) -> dict[str, Any]:
        """Give a slash command; return what only that user sees."""
        fields = {
            "token": self.token,
            "team_id": "t" * 26,
            "channel_id": "c" * 26,
            "channel_name": "ops-talk",
            "user_id": f"u-{user}",
            "user_name": user,
            "command": "/guardia",
            "text": text,
            "trigger_id": f"trigger{next(_numbers)}:" + "x" * 200,
            "response_url": f"{SITE}/hooks/commands/1",
            **more,
        }
        answer = self.client.post("/intake/mattermost/command", data=fields)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()) if answer.content else {}

    def submit(
        self, opened: dict[str, Any], fields: dict[str, Any] | None, user: str = "kim", **more: Any
    ) -> httpx.Response:
        """Submit a form that the server was asked to open."""
        dialog = opened["dialog"]
        body = {
            "type": "dialog_submission",
            "callback_id": dialog["callback_id"],
            "state": dialog["state"],
            "user_id": f"u-{user}",
            "channel_id": "c" * 26,
            "team_id": "t" * 26,
            "submission": fields,
            "cancelled": fields is None,
            **more,
        }
        return self.client.post(urlsplit(opened["url"]).path, json=body)

    def request(self, message: RoomMessage, user: str, **more: Any) -> dict[str, Any]:
        """Return what the server sends when a user presses the message's first button."""
        return {
            "user_id": f"u-{user}",
            "user_name": user,
            "channel_id": "c" * 26,
            "channel_name": "ops-talk",
            "team_id": "t" * 26,
            "team_domain": "ops",
            "post_id": "m" * 26,
            "trigger_id": "x",
            "type": "button",
            "data_source": "",
            "context": message.buttons[0]["integration"]["context"],
            **more,
        }

    def press(self, message: RoomMessage, user: str = "lee", **more: Any) -> None:
        """Press the first button of a message."""
        url = urlsplit(message.buttons[0]["integration"]["url"])
        answer = self.client.post(url.path, json=self.request(message, user, **more))
        if answer.status_code != 200:
            raise ActionFailed(answer.text)
        body = answer.json()
        if (update := body.get("update")) is not None:
            message.text = update.get("message", "")
            # Omitted properties stay, and with them the buttons.
            message.props = message.props if update.get("props") is None else update["props"]
        if body.get("ephemeral_text"):
            self.ephemeral_messages.append((user, body["ephemeral_text"]))


class MattermostApi(ThreadingHTTPServer):
    """The incoming webhook and the address that opens forms, with the server's own limits."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.opened: list[dict[str, Any]] = []
        self.posts: list[dict[str, Any]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Call(BaseHTTPRequestHandler):
    server: MattermostApi

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/api/v4/actions/dialogs/open":
            status = 200 if _is_valid(body) else 400
            self.server.opened += [body] if status == 200 else []
        else:
            status = 200
            self.server.posts.append(body)
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def _is_valid(body: dict[str, Any]) -> bool:
    """Return whether the server takes a form (`Dialog.IsValid` of its model)."""
    dialog = body["dialog"]
    longest = {"text": 150, "textarea": 3000}
    return (
        body["trigger_id"] != "expired"
        and body["url"].startswith("http")
        and 0 < len(dialog["title"]) <= 24
        and len(dialog["submit_label"]) <= 24
        and all(
            0 < len(e["display_name"]) <= 24
            and 0 < len(e["name"]) <= 300
            and e.get("max_length", 0) <= longest.get(e["type"], 0)
            and (e["type"] != "select" or all(o["text"] and o["value"] for o in e["options"]))
            for e in dialog["elements"]
        )
    )


@contextmanager
def mattermost_api() -> Iterator[MattermostApi]:
    """Serve the API on loopback."""
    with MattermostApi() as found:
        threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True).start()
        yield found
        found.shutdown()
