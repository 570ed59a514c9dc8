"""Mattermost: webhooks, slash commands, forms and pressed buttons in, incoming webhooks out.

Formats: https://developers.mattermost.com/integrate/webhooks/
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel, ConfigDict, Field

from guardia.board.core.context import BoardContext, utc_now
from guardia.board.intake import (
    button_token,
    conversation,
    mattermost_buttons,
    mattermost_forms,
    presses,
)
from guardia.board.intake.button_token import ButtonToken
from guardia.board.intake.channels import (
    Endpoint,
    InboundReply,
    InboundRequest,
    NotConfigured,
    RequestRefused,
)
from guardia.board.intake.mattermost_forms import FormSubmission, MattermostCommand
from guardia.board.issues.conversation import RoomLine
from guardia.board.notifications.delivery import OutboundMessage
from guardia.i18n import t
from guardia.settings import Settings
from guardia.text import is_blank

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
    _require_known(settings, post.token)
    return post


def _verify_command(settings: Settings, request: InboundRequest) -> MattermostCommand:
    """Return the slash command if its token belongs to one of our commands."""
    _require_known(settings, str(request.payload().get("token") or ""))
    return request.parse(MattermostCommand)


def _require_known(settings: Settings, token: str) -> None:
    # compare_digest takes the same time at whichever character they differ.
    # A lone surrogate can be sent as an escape of JSON.
    given = token.encode("utf-8", "surrogatepass")
    known = [hmac.compare_digest(k.encode(), given) for k in settings.messenger_tokens]
    if not any(known):
        raise RequestRefused(401, t("intake.token"))


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


def _receive_command(
    board: BoardContext, settings: Settings, request: InboundRequest, command: MattermostCommand
) -> InboundReply:
    """Answer a slash command; only the person who gave it reads the answer."""
    board_url = (settings.public_origin or request.base_url).rstrip("/")
    if command.asks_for_form and settings.mattermost_url:
        form_url = f"{board_url}{mattermost_forms.FORM_PATH}"
        mattermost_forms.queue_form(board, command.token, CHANNEL, command, form_url)
        return _ephemeral({"text": t("intake.mattermost.form_opens")})
    if is_blank(command.text) or command.asks_for_form:
        usage = t("intake.mattermost.usage", command=command.command)
        with_form = t("intake.mattermost.usage_form", command=command.command)
        return _ephemeral({"text": f"{usage} {with_form}" if settings.mattermost_url else usage})
    line = RoomLine(
        text=command.text,
        channel=CHANNEL,
        sender=command.user_name,
        room=command.channel_name,
        account=command.user_id,
        external_id=f"command {command.delivery}",
        addressed=True,
        board_url=board_url,
    )
    reply = conversation.answer_line(board, line, settings)
    now = board.current_time()
    body = mattermost_buttons.message_body(
        reply.text, reply.choices, command.token, CHANNEL, board_url, now
    )
    return _ephemeral(body) if body else InboundReply(None)


def _ephemeral(body: Mapping[str, Any]) -> InboundReply:
    return InboundReply({"response_type": "ephemeral", **body})


def _verify_form(settings: Settings, request: InboundRequest) -> dict[str, str]:
    """Return for whom and in which room this installation opened the form."""
    state = request.payload().get("state")
    found = button_token.verify(
        settings.messenger_tokens, CHANNEL, state if isinstance(state, str) else ""
    )
    if found is None or found.act != mattermost_forms.FORM_ACT or found.expires_at <= utc_now():
        raise RequestRefused(401, t("intake.button"))
    who: dict[str, str] = json.loads(found.value)
    if request.payload().get("user_id") != who["user"]:
        raise RequestRefused(401, t("intake.button"))
    return who


def _receive_form(
    board: BoardContext, settings: Settings, request: InboundRequest, who: dict[str, str]
) -> InboundReply:
    """Open the issue of a form; the answer follows in the room."""
    sent = request.parse(FormSubmission)
    if sent.cancelled or sent.submission is None:
        return InboundReply()
    if is_blank((sent.submission.title or "") + (sent.submission.body or "")):
        return InboundReply({"errors": {"body": t("intake.mattermost.blank")}})
    board_url = (settings.public_origin or request.base_url).rstrip("/")
    line = mattermost_forms.line_of(who, sent.submission, CHANNEL, board_url)
    mattermost_forms.answer_form(board, line, conversation.answer_line(board, line, settings))
    return InboundReply()


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
    rooms_opened_by: ClassVar[str] = "messenger_url"
    settings = (
        "messenger_token",
        "messenger_url",
        "alert_url",
        "mattermost_url",
        "mattermost_token",
    )
    endpoints: ClassVar[Mapping[str, Endpoint[Any]]] = {
        "/intake/mattermost": Endpoint("A post of a Mattermost room", _verify_post, _receive_post),
        mattermost_buttons.PATH: Endpoint(
            "A pressed button of a Mattermost room", _verify_button, _press
        ),
        mattermost_forms.COMMAND_PATH: Endpoint(
            "A slash command of Mattermost", _verify_command, _receive_command
        ),
        mattermost_forms.FORM_PATH: Endpoint(
            "A submitted form of Mattermost", _verify_form, _receive_form
        ),
    }

    def send(self, settings: Settings, message: OutboundMessage, client: httpx.Client) -> None:
        """Open a form, or post to the webhook for replies or for alerts."""
        if dialog := message.target.get("dialog"):
            mattermost_forms.open_form(settings, dialog, client)
            return
        url = settings.alert_url if message.kind == "alert" else settings.messenger_url
        if url is None:
            raise NotConfigured("no webhook is configured")
        answer = client.post(url.get_secret_value(), json=_webhook_body(settings, message))
        answer.raise_for_status()
