"""Mattermost: outgoing webhooks and pressed buttons in, incoming webhooks out.

Formats: https://developers.mattermost.com/integrate/webhooks/
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel, ConfigDict, Field

from guardia.board.control import kill_text
from guardia.board.control.kill_result import KillResult
from guardia.board.core.context import BoardContext
from guardia.board.intake import (
    account_linking,
    button_token,
    context_rules,
    limits,
    mattermost_buttons,
    offers,
    stop_command,
)
from guardia.board.intake.button_token import ButtonToken
from guardia.board.intake.channels import (
    Endpoint,
    InboundReply,
    InboundRequest,
    NotConfigured,
    RequestRefused,
)
from guardia.board.intake.decision_words import answer_decision, parse_decision_words
from guardia.board.intake.link_code_parser import parse_link_code
from guardia.board.intake.stop_word import is_stop_command
from guardia.board.issues import receiving
from guardia.board.notifications.delivery import OutboundMessage
from guardia.errors import Throttled
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
    """Stop, link an account, open an issue or offer one, or say how to decide, by the line."""
    line = receiving.NewIssue(
        text=post.text,
        channel=CHANNEL,
        sender=post.user_name,
        room=post.channel_name,
        account=post.user_id,
        external_id=post.post_id,
    )
    if is_stop_command(post.text):
        return InboundReply({"text": _stop_reply(stop_command.handle_stop(board, line))})
    if (code := parse_link_code(post.text)) is not None:
        return InboundReply({"text": _link_reply(board, line, code)})
    # Without the setting, use the address under which the messenger reached the board.
    board_url = settings.public_origin or request.base_url
    if (decided := parse_decision_words(post.text)) is not None:
        return InboundReply({"text": answer_decision(board, line, decided, board_url)})
    result = context_rules.handle_line(
        board,
        line,
        addressed=bool(post.trigger_word),
        bounds=limits.IntakeBounds.of(settings),
    )
    if result.offer is not None:
        return InboundReply(
            mattermost_buttons.offer_message(
                result.offer, post.token, CHANNEL, board_url, board.clock()
            )
        )
    text = _request_reply(result)
    # Without a text, Mattermost shows nothing in the room.
    return InboundReply({"text": text} if text else {})


def _verify_button(settings: Settings, request: InboundRequest) -> ButtonToken:
    """Return the token of a button that this installation made."""
    context = request.payload().get("context")
    given = context.get("ticket") if isinstance(context, Mapping) else None
    text = given if isinstance(given, str) else ""
    found = button_token.verify(settings.messenger_tokens, CHANNEL, text)
    if found is None:
        raise RequestRefused(401, t("intake.button"))
    return found


def _accept_offer(
    board: BoardContext, _settings: Settings, request: InboundRequest, button: ButtonToken
) -> InboundReply:
    """Open the issue that the button offered."""
    pressed = request.parse(ButtonPress)
    acceptance = offers.OfferAcceptance(
        channel=CHANNEL,
        message_id=button.message_id,
        expires_at=button.expires_at,
        account=pressed.user_id,
        sender=pressed.user_name,
    )
    return InboundReply(mattermost_buttons.acceptance_reply(offers.accept(board, acceptance)))


def _stop_reply(killed: KillResult) -> str:
    if killed.already_on:
        return t("intake.stopped_already")
    if killed.local is not None:
        return kill_text.local_outcome(killed.local)
    return t("intake.stopped", tasks=killed.stopped, undoing=killed.undoing)


def _request_reply(result: context_rules.LineResult) -> str:
    limit = result.limit
    if limit is not None and not limit.accepted:
        return t("intake.limited", limit=limit.per_minute) if limit.is_first_refusal else ""
    received = t("intake.received", sr=result.sr_id) if result.sr_id else ""
    if limit is None or not limit.refused_before:
        return received
    return f"{t('intake.refused_before', count=limit.refused_before)} {received}"


def _link_reply(board: BoardContext, line: receiving.NewIssue, code: str) -> str:
    try:
        found = account_linking.link_account(board, line, code)
    except Throttled as error:
        return str(error)
    return t(f"intake.claim.{found or account_linking.LinkResult.LINKED}")


def _webhook_body(message: OutboundMessage) -> dict[str, Any]:
    """Return the body of an incoming webhook."""
    body: dict[str, Any] = {"username": "GUARDiA", "text": message.text}
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
            "A pressed button of a Mattermost room", _verify_button, _accept_offer
        ),
    }

    def send(self, settings: Settings, message: OutboundMessage, client: httpx.Client) -> None:
        """Post to the webhook for replies or for alerts."""
        url = settings.alert_url if message.kind == "alert" else settings.messenger_url
        if url is None:
            raise NotConfigured("no webhook is configured")
        answer = client.post(url.get_secret_value(), json=_webhook_body(message))
        answer.raise_for_status()
