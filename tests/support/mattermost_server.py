"""Mattermost's side of its webhooks and buttons, as its server behaves.

The answer to an outgoing webhook becomes a message; the contexts of its buttons stay on the server.
A press is sent to the integration, which must answer 200 and may replace the message.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

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
