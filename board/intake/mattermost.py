"""Mattermost: outgoing webhooks and pressed buttons in, incoming webhooks out.

Formats: https://developers.mattermost.com/integrate/webhooks/
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel, ConfigDict, Field

from guardia.board.core.context import BoardContext, utc_now
from guardia.board.intake import button_token, conversation, mattermost_buttons, presses
from guardia.board.intake.button_token import ButtonToken
from guardia.board.intake.channels import (
    Endpoint,
    InboundReply,
    InboundRequest,
    NotConfigured,
    RequestRefused,
)
from guardia.board.issues.conversation import RoomLine
from guardia.board.notifications.delivery import OutboundMessage
from guardia.i18n import t
from guardia.settings import Settings

CHANNEL = "mattermost"


class _Payload(BaseModel):
    model_config = ConfigDict(extra="ignore")


class MattermostPost(_Payload):
    """One post, as Mattermost sends it."""

    token: str
    post_id: str = Field(min_length=1, max_length=64)
    channel_name: str = Field(default="", max_length=128)
    user_id: str = Field(default="", max_length=64)
    user_name: str = Field(default="", max_length=128)
    text: str = Field(min_length=1, max_length=16_384)
    trigger_word: str = Field(default="", max_length=1024)
    """The webhook's trigger word at the start of the post; empty if the webhook has none."""


class ButtonPress(_Payload):
    """The person who pressed a button, as Mattermost sends it beside the context of the button."""

    user_id: str = Field(min_length=1, max_length=64)
    user_name: str = Field(default="", max_length=128)
    channel_name: str = Field(default="", max_length=128)


def _verify_post(settings: Settings, request: InboundRequest) -> MattermostPost:
    """Return the post if its token belongs to one of our webhooks."""
    post = request.parse(MattermostPost)
    # compare_digest takes the same time at whichever character they differ.
    # A lone surrogate can be sent as an escape of JSON.
    given = post.token.encode("utf-8", "surrogatepass")
    known = [hmac.compare_digest(k.encode(), given) for k in settings.messenger_tokens]
    if not any(known):
        raise RequestRefused(401, t("intake.token"))
    return post


def _receive_post(
    board: BoardContext, settings: Settings, request: InboundRequest, post: MattermostPost
) -> InboundReply:
    """Answer a line of a room, with buttons where the answer has choices."""
    # Without the setting, use the address under which the messenger reached the board.
    board_url = settings.public_origin or request.base_url
    line = RoomLine(
        text=post.text,
        channel=CHANNEL,
        sender=post.user_name,
        room=post.channel_name,
        account=post.user_id,
        external_id=post.post_id,
        addressed=bool(post.trigger_word),
        board_url=board_url.rstrip("/"),
    )
    reply = conversation.answer_line(board, line, settings)
    return InboundReply(
        mattermost_buttons.message_body(
            reply.text, reply.choices, post.token, CHANNEL, board_url, board.current_time()
        )
    )


def _verify_button(settings: Settings, request: InboundRequest) -> ButtonToken:
    """Return the token of a button that this installation made."""
    context = request.payload().get("context")
    given = context.get("ticket") if isinstance(context, Mapping) else None
    text = given if isinstance(given, str) else ""
    found = button_token.verify(settings.messenger_tokens, CHANNEL, text)
    if found is None:
        raise RequestRefused(401, t("intake.button"))
    return found


def _press(
    board: BoardContext, settings: Settings, request: InboundRequest, button: ButtonToken
) -> InboundReply:
    """Carry out a press."""
    pressed = request.parse(ButtonPress)
    press = presses.press_of(
        button,
        channel=CHANNEL,
        account=pressed.user_id,
        sender=pressed.user_name,
        room=pressed.channel_name,
        board_url=settings.public_origin or request.base_url,
    )
    reply = presses.handle_press(board, settings, press, button.expires_at)
    # Of the tokens, any signs: each is one of our webhooks.
    place = settings.messenger_tokens[0], CHANNEL, press.board_url, board.current_time()
    return InboundReply(mattermost_buttons.press_answer(reply, *place))


def _webhook_body(settings: Settings, message: OutboundMessage) -> dict[str, Any]:
    """Return the body of an incoming webhook."""
    # A message without a token to sign its buttons with has none.
    key, *_ = (*settings.messenger_tokens, "")
    shown = mattermost_buttons.message_body(
        message.text,
        message.choices if key else (),
        key,
        CHANNEL,
        settings.public_origin or settings.board_address,
        utc_now(),
    )
    body: dict[str, Any] = {"username": "GUARDiA", **shown}
    if message.room:
        body["channel"] = message.room
    if message.sr_id is not None:
        body["props"] = {"sr_id": message.sr_id}
    return body


class MattermostChannel:
    """A Mattermost team: its rooms, and the webhooks for replies and alerts."""

    name = CHANNEL
    settings = ("messenger_token", "messenger_url", "alert_url")
    endpoints: ClassVar[Mapping[str, Endpoint[Any]]] = {
        "/intake/mattermost": Endpoint("A post of a Mattermost room", _verify_post, _receive_post),
        mattermost_buttons.PATH: Endpoint(
            "A pressed button of a Mattermost room", _verify_button, _press
        ),
    }

    def send(self, settings: Settings, message: OutboundMessage, client: httpx.Client) -> None:
        """Post to the webhook for replies or for alerts."""
        url = settings.alert_url if message.kind == "alert" else settings.messenger_url
        if url is None:
            raise NotConfigured("no webhook is configured")
        answer = client.post(url.get_secret_value(), json=_webhook_body(settings, message))
        answer.raise_for_status()
