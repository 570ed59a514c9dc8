"""Mattermost's side of its webhooks and buttons, as its server behaves.

What an outgoing webhook answers becomes a message; its buttons' contexts stay with the server. A
pressed one is sent to the integration, which must answer 200 and may replace the message.
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
    """The integration did not answer 200: who pressed sees an error."""


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
    """Who was told something that only they see."""

    def post(self, text: str, room: str, user: str = "kim", **more: str) -> RoomMessage | None:
        """Somebody writes a line; the message that the webhook's answer makes of it."""
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
        said = answer.json()
        if said.get("text") is None and not said.get("attachments"):
            return None
        message = RoomMessage(said.get("text") or "")
        if said.get("attachments"):
            message.props["attachments"] = said["attachments"]
        self.messages.append(message)
        return message

    def request(self, message: RoomMessage, user: str, **more: Any) -> dict[str, Any]:
        """What the server sends when somebody presses the message's first button."""
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
        """Somebody presses the first button of a message."""
        url = urlsplit(message.buttons[0]["integration"]["url"])
        answer = self.client.post(url.path, json=self.request(message, user, **more))
        if answer.status_code != 200:
            raise ActionFailed(answer.text)
        said = answer.json()
        if (update := said.get("update")) is not None:
            message.text = update.get("message", "")
            # Properties that are not given stay, the buttons with them.
            message.props = message.props if update.get("props") is None else update["props"]
        if said.get("ephemeral_text"):
            self.ephemeral_messages.append((user, said["ephemeral_text"]))
