"""Slack: events, slash commands and pressed buttons in, replies in the thread out.

Formats: https://docs.slack.dev/authentication/verifying-requests-from-slack/
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import httpx

from guardia.board.core.context import BoardContext, utc_now
from guardia.board.intake import button_token, conversation, events, presses
from guardia.board.intake import slack_messages as messages
from guardia.board.intake.channels import (
    Endpoint,
    InboundReply,
    InboundRequest,
    NotConfigured,
    RequestRefused,
)
from guardia.board.intake.slack_messages import CHANNEL
from guardia.board.intake.slack_payloads import (
    SPOKEN_TYPES,
    SlackCommand,
    SlackEnvelope,
    SlackEvent,
    SlackInteraction,
    is_addressed,
    is_spoken,
    plain_text,
)
from guardia.board.intake.stop_word import is_stop_command
from guardia.board.issues.conversation import ConversationReply, PressReply, RoomLine
from guardia.board.notifications.delivery import OutboundMessage
from guardia.errors import UserError
from guardia.i18n import t
from guardia.settings import Settings

log = logging.getLogger(__name__)

_EMPTY = InboundReply(None)
_MAX_TIME_DIGITS = 12


def _verify(settings: Settings, request: InboundRequest) -> None:
    """Check the signature over the body as it came, and that the request is not an old one."""
    stamp = request.headers.get("x-slack-request-timestamp", "")
    given = request.headers.get("x-slack-signature", "").encode("utf-8", "replace")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _MAX_TIME_DIGITS):
        raise RequestRefused(401, t("intake.slack.signature"))
    signed = b"v0:" + stamp.encode() + b":" + request.body
    # All are compared, each in constant time.
    known = [hmac.compare_digest(_signature(k, signed), given) for k in settings.slack_secrets]
    if not any(known):
        raise RequestRefused(401, t("intake.slack.signature"))
    if abs(time.time() - int(stamp)) > settings.slack_window:
        raise RequestRefused(401, t("intake.slack.stale", seconds=settings.slack_window))


def _signature(secret: str, signed: bytes) -> bytes:
    return b"v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()


def _verify_command(settings: Settings, request: InboundRequest) -> bool:
    """Return whether it is a command. Slack tests the certificate with an unsigned request."""
    if request.form.get("ssl_check") == "1":
        return False
    _verify(settings, request)
    return True


def _receive_event(
    board: BoardContext, settings: Settings, request: InboundRequest, _verified: None
) -> InboundReply:
    """Answer the challenge of an address, or handle a message; the reply follows in its thread."""
    envelope = request.parse(SlackEnvelope)
    if envelope.type == "url_verification":
        return InboundReply({"challenge": envelope.challenge})
    if envelope.type == "app_rate_limited":
        log.warning("Slack does not deliver all events: the app is rate limited")
    # Of other events, the fields may have another form.
    if envelope.type != "event_callback" or envelope.event.get("type") not in SPOKEN_TYPES:
        return _EMPTY
    event = request.parse_part(SlackEvent, envelope.event)
    line = _line_of(event, envelope, settings.public_origin or request.base_url)
    if line is None or not envelope.event_id:
        return _EMPTY
    # The stop word needs no database: it must not wait for one to say what was answered.
    if is_stop_command(line.text) or not events.is_answered(board, CHANNEL, envelope.event_id):
        _answer_in_thread(board, settings, envelope.event_id, line)
    return _EMPTY


def _line_of(event: SlackEvent, envelope: SlackEnvelope, board_url: str) -> RoomLine | None:
    """Return what a person wrote, or `None` for any other event."""
    own_users = envelope.own_users
    text = plain_text(event.text or "", own_users)
    if not is_spoken(event, own_users) or not text:
        return None
    return RoomLine(
        text=text,
        channel=CHANNEL,
        sender=event.user or "",
        account=event.user or "",
        room=event.channel or "",
        thread=event.thread_ts or event.ts or "",
        # A mention arrives as two events with one time stamp.
        external_id=f"{event.channel}:{event.ts}",
        addressed=is_addressed(event, own_users),
        board_url=board_url.rstrip("/"),
    )


def _answer_in_thread(
    board: BoardContext, settings: Settings, event_id: str, line: RoomLine
) -> None:
    try:
        reply = conversation.answer_line(board, line, settings)
    except UserError as error:
        reply = ConversationReply(str(error))
    # A line without an answer may come again as a mention, which has one.
    answered = [event_id, f"line {line.external_id}"] if reply.text else [event_id]
    events.answer_once(board, CHANNEL, answered, reply, room=line.room, thread=line.thread)


def _receive_command(
    board: BoardContext, settings: Settings, request: InboundRequest, is_command: bool
) -> InboundReply:
    """Answer a slash command; only the person who gave it reads the answer."""
    if not is_command:
        return _EMPTY
    command = request.parse(SlackCommand)
    text = plain_text(command.text, set())
    if not text:
        return _ephemeral(messages.message_body(_usage(command), (), "", utc_now()))
    line = RoomLine(
        text=text,
        channel=CHANNEL,
        sender=command.user_name or command.user_id,
        account=command.user_id,
        room=command.channel_id,
        external_id=f"command {command.trigger_id}",
        addressed=True,
        board_url=(settings.public_origin or request.base_url).rstrip("/"),
    )
    try:
        reply = conversation.answer_line(board, line, settings)
    except UserError as error:
        reply = ConversationReply(str(error))
    body = messages.message_body(reply.text, reply.choices, _key(settings), board.current_time())
    return _ephemeral(body) if reply.text else _EMPTY


def _usage(command: SlackCommand) -> str:
    return t("intake.slack.usage", command=command.command)


def _ephemeral(body: Mapping[str, Any]) -> InboundReply:
    return InboundReply({"response_type": "ephemeral", **body})


def _receive_interaction(
    board: BoardContext, settings: Settings, request: InboundRequest, _verified: None
) -> InboundReply:
    """Carry out pressed buttons; the answer follows at the address that came with the press."""
    pressed = request.parse_part(SlackInteraction, _interaction(request))
    for action in pressed.actions if pressed.type == "block_actions" else ():
        found = button_token.verify(settings.slack_secrets, CHANNEL, action.value)
        if found is None:
            continue
        press = presses.press_of(
            found,
            channel=CHANNEL,
            account=pressed.user.id,
            sender=pressed.user.username or pressed.user.name or pressed.user.id,
            room=pressed.channel.id,
            thread=pressed.container.thread_ts or pressed.container.message_ts,
            board_url=settings.public_origin or request.base_url,
        )
        reply = presses.handle_press(board, settings, press, found.expires_at)
        _answer_press(board, settings, pressed, reply)
    return _EMPTY


def _interaction(request: InboundRequest) -> Mapping[str, Any]:
    """Return the JSON in the form of an interaction."""
    in_json = replace(
        request,
        headers={"content-type": "application/json"},
        body=request.form.get("payload", "").encode("utf-8", "replace"),
    )
    return in_json.payload()


def _answer_press(
    board: BoardContext, settings: Settings, pressed: SlackInteraction, reply: PressReply
) -> None:
    text = f"{reply.text}\n{reply.link}" if reply.link else reply.text
    thread = pressed.container.thread_ts
    target: dict[str, Any] = {}
    if messages.is_allowed(pressed.response_url, settings.slack_response_host_names):
        target = {"response_url": pressed.response_url}
    elif pressed.response_url:
        log.warning("the host of a response_url is not in GUARDIA_SLACK_RESPONSE_HOSTS")
    answers = (
        (ConversationReply(text, reply.choices), reply.replaces),
        (ConversationReply(reply.notice), False),
    )
    for number, (answer, replaces) in enumerate(answers):
        events.answer_once(
            board,
            CHANNEL,
            [f"press {number} {pressed.trigger_id}"],
            answer,
            room=pressed.channel.id,
            thread=thread,
            target={**target, "replaces": replaces} if target else {},
        )


def _key(settings: Settings) -> str:
    """Return the secret that signs new buttons."""
    return (*settings.slack_secrets, "")[0]


class SlackChannel:
    """A Slack workspace with the app of this installation."""

    name = CHANNEL
    rooms_opened_by: ClassVar[str] = "slack_token"
    settings = (
        "slack_signing_secret",
        "slack_token",
        "slack_api",
        "slack_response_hosts",
        "slack_window",
    )
    endpoints: ClassVar[Mapping[str, Endpoint[Any]]] = {
        "/intake/slack/events": Endpoint("An event of a Slack workspace", _verify, _receive_event),
        "/intake/slack/commands": Endpoint(
            "A slash command of a Slack workspace", _verify_command, _receive_command
        ),
        "/intake/slack/actions": Endpoint(
            "A pressed button of a Slack workspace", _verify, _receive_interaction
        ),
    }

    def send(self, settings: Settings, message: OutboundMessage, client: httpx.Client) -> None:
        """Answer a press at its own address, or post to the channel or its thread."""
        shown = messages.message_body(message.text, message.choices, _key(settings), utc_now())
        if url := message.target.get("response_url"):
            replaces = bool(message.target.get("replaces"))
            body = {"replace_original": replaces, "response_type": "ephemeral", **shown}
            if replaces:
                del body["response_type"]
            messages.post_to_response_url(client, url, body)
            return
        if settings.slack_token is None or not message.room:
            raise NotConfigured("no token or no channel of Slack")
        place = {"channel": message.room, "unfurl_links": False}
        if message.thread:
            place["thread_ts"] = message.thread
        token = settings.slack_token.get_secret_value()
        messages.call(client, settings.slack_api, "chat.postMessage", token, {**place, **shown})
