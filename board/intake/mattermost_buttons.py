"""Offer an issue with an interactive message of Mattermost, and answer its button.

Formats: https://developers.mattermost.com/integrate/plugins/interactive-messages/
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from guardia.board.intake import button_token
from guardia.board.intake.context_rules import IssueOffer
from guardia.board.intake.offers import AcceptanceOutcome, AcceptanceResult
from guardia.i18n import t

PATH = "/intake/mattermost/actions"
LIFETIME = timedelta(hours=24)
_ACTION_ID = "check"
"""Mattermost accepts letters and digits only."""


def offer_message(
    offer: IssueOffer, token: str, channel: str, board_url: str, now: datetime
) -> dict[str, Any]:
    """Return the answer to an outgoing webhook that shows the button in the room."""
    text = t("intake.offer.text", title=offer.title)
    context_token = button_token.create(token, channel, offer.message_id, now + LIFETIME)
    action = {
        "id": _ACTION_ID,
        "type": "button",
        "name": t("intake.offer.button"),
        "style": "primary",
        "integration": {
            "url": f"{board_url.rstrip('/')}{PATH}",
            "context": {"ticket": context_token},
        },
    }
    return {"attachments": [{"fallback": text, "text": text, "actions": [action]}]}


def acceptance_reply(result: AcceptanceResult) -> dict[str, Any]:
    """Return the reply to the person who pressed, and the new text of the message in the room."""
    reply = t(f"intake.offer.{result.outcome}", sr=result.sr_id or "-")
    if result.outcome is AcceptanceOutcome.OPENED:
        return _update(reply)
    if result.outcome is AcceptanceOutcome.ALREADY:
        opened = t("intake.offer.opened", sr=result.sr_id or "-")
        return {**_update(opened), "ephemeral_text": reply}
    if result.outcome is AcceptanceOutcome.UNKNOWN:
        return {"ephemeral_text": reply}
    return {**_update(reply), "ephemeral_text": reply}


def _update(text: str) -> dict[str, Any]:
    # Without properties of its own, the message would keep its button.
    return {"update": {"message": text, "props": {}}}
