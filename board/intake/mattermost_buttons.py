"""Show choices as buttons of an interactive message of Mattermost, and answer a press.

Formats: https://developers.mattermost.com/integrate/plugins/interactive-messages/
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from guardia.board.core.choices import Choice
from guardia.board.intake import button_token
from guardia.board.intake.presses import LIFETIME
from guardia.board.issues.conversation import PressReply

PATH = "/intake/mattermost/actions"


def message_body(
    text: str, choices: Sequence[Choice], key: str, channel: str, board_url: str, now: datetime
) -> dict[str, Any]:
    """Return a message for a room, with a button for each choice."""
    if not choices:
        # Without a text, Mattermost shows nothing in the room.
        return {"text": text} if text else {}
    actions = [
        {
            # Mattermost accepts letters and digits only.
            "id": f"choice{number}",
            "type": "button",
            "name": choice.label,
            "style": choice.style.value,
            "integration": {
                "url": f"{board_url.rstrip('/')}{PATH}",
                "context": {"ticket": _ticket(choice, key, channel, now)},
            },
        }
        for number, choice in enumerate(choices, 1)
    ]
    return {"attachments": [{"fallback": text, "text": text, "actions": actions}]}


def press_answer(
    reply: PressReply, key: str, channel: str, board_url: str, now: datetime
) -> dict[str, Any]:
    """Return the answer for the person who pressed, and the new text of the message in the room."""
    text = f"{reply.text}\n{reply.link}" if reply.link else reply.text
    if not reply.replaces:
        return {"ephemeral_text": text}
    # Without properties of its own, the message would keep its buttons.
    props = message_body(text, reply.choices, key, channel, board_url, now) if reply.choices else {}
    update = {"update": {"message": "" if props else text, "props": props}}
    return {**update, "ephemeral_text": reply.notice} if reply.notice else update


def _ticket(choice: Choice, key: str, channel: str, now: datetime) -> str:
    return button_token.create(key, channel, choice.act, choice.value, now + LIFETIME)
