"""JANDI: outgoing webhooks in, cards through incoming webhooks out; no buttons and no threads.

Formats: https://support.jandi.com (outgoing and incoming webhooks of a topic and of a team)
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel, ConfigDict, Field

from guardia.board.core.choices import Choice, ChoiceStyle
from guardia.board.core.context import BoardContext
from guardia.board.intake import conversation, spoken_choices
from guardia.board.intake.channels import (
    Endpoint,
    InboundReply,
    InboundRequest,
    NotConfigured,
    RequestRefused,
    RetryLater,
)
from guardia.board.issues.conversation import ConversationReply, RoomLine
from guardia.board.notifications.delivery import OutboundMessage
from guardia.errors import UserError
from guardia.i18n import t
from guardia.settings import Settings

CHANNEL = "jandi"
_MAX_TEXT = 4_900
_COLOR = "#2E6FDB"
_ALERT_COLOR = "#C7362B"
_ACCEPTS = "application/vnd.tosslab.jandi-v2+json"
_LIMITED = 42900
_PAUSE = 60.0
"""JANDI names no time; its shortest window is a minute."""
_COMMAND = re.compile(r"\s*/\s*(\S{1,100})\s*(.*)", re.DOTALL)
_ROUTE = re.compile(r"([^=:/]{1,200})=(https?://.*)", re.DOTALL)


class _Payload(BaseModel):
    model_config = ConfigDict(extra="ignore")


class JandiWriter(_Payload):
    """The writer, as webhooks of a team name them."""

    id: str | int = ""
    name: str = Field(default="", max_length=128)
    email: str = Field(default="", max_length=320)


class JandiMessage(_Payload):
    """One message, in the form of a topic's webhook or of a team's."""

    token: str
    teamName: str = Field(default="", max_length=200)
    roomName: str = Field(default="", max_length=200)
    writerName: str = Field(default="", max_length=128)
    writerEmail: str | None = Field(default=None, max_length=320)
    writer: JandiWriter | None = None
    text: str = Field(min_length=1, max_length=16_384)
    data: str | dict[str, Any] | None = None
    keyword: str = Field(default="", max_length=100)
    createdAt: str = Field(default="", max_length=64)

    @property
    def account(self) -> str:
        """The writer's address, which is all that both forms can have."""
        email = self.writer.email if self.writer else self.writerEmail
        return (email or "").strip().lower()

    @property
    def sender(self) -> str:
        """The writer's name."""
        return (self.writer.name if self.writer else "") or self.writerName or self.account

    @property
    def said(self) -> str:
        """The text after the keyword; the keyword itself if it is all."""
        found = _COMMAND.fullmatch(self.text)
        rest = found[2].strip() if found else self.text.strip()
        return rest or (found[1] if found else self.text)

    @property
    def delivery(self) -> str:
        """Name of the delivery: the message has no id."""
        parts = (self.roomName, self.account, self.sender, self.createdAt, self.text)
        packed = json.dumps(parts).encode()
        return hashlib.sha256(self.token.encode("utf-8", "replace") + packed).hexdigest()[:40]


def _verify(settings: Settings, request: InboundRequest) -> JandiMessage:
    """Return the message if its token belongs to one of our webhooks."""
    message = request.parse(JandiMessage)
    given = message.token.encode("utf-8", "surrogatepass")
    # All are compared, each in constant time.
    known = [hmac.compare_digest(k.encode(), given) for k in settings.jandi_tokens]
    if not any(known):
        raise RequestRefused(401, t("intake.jandi.token"))
    return message


def _receive(
    board: BoardContext, settings: Settings, request: InboundRequest, message: JandiMessage
) -> InboundReply:
    """Answer a message with a card. Everybody who writes the keyword addresses GUARDiA."""
    board_url = (settings.public_origin or request.base_url).rstrip("/")
    line = RoomLine(
        text=message.said,
        channel=CHANNEL,
        sender=message.sender,
        room=message.roomName,
        account=message.account,
        external_id=message.delivery,
        addressed=True,
        has_buttons=False,
        board_url=board_url,
    )
    try:
        reply = conversation.answer_line(board, line, settings)
    except UserError as error:
        reply = ConversationReply(str(error))
    if reply.choices:
        spoken_choices.remember(board, line, reply.choices)
    # JANDI shows nothing for a body that is no card.
    return InboundReply(_card(reply.text, reply.choices, board_url) if reply.text else {})


def _card(text: str, choices: tuple[Choice, ...], link: str, color: str = _COLOR) -> dict[str, Any]:
    """Return a card, with choices as numbered lines."""
    card: dict[str, Any] = {"body": _escaped(text)[:_MAX_TEXT], "connectColor": color}
    if choices:
        danger = any(choice.style is ChoiceStyle.DANGER for choice in choices)
        lines = [f"{n}. {_escaped(choice.label)}" for n, choice in enumerate(choices, 1)]
        title = t("intake.jandi.choices", link=f"[[{link}]]({link})")
        card["connectColor"] = _ALERT_COLOR if danger else color
        card["connectInfo"] = [{"title": title, "description": "\n".join(lines)[:_MAX_TEXT]}]
    return card


def _escaped(text: str) -> str:
    """Return text that makes no link with another name than its address."""
    return text.replace("[[", "[ [").replace("](", "] (")


def webhook_of(settings: Settings, room: str) -> str:
    """Return the address for a topic. Raises `NotConfigured` if there is none."""
    default = ""
    for part in settings.jandi_webhooks:
        found = _ROUTE.fullmatch(part)
        if found is None:
            default = default or part
        elif found[1].strip() == room:
            return found[2]
    if not default:
        raise NotConfigured("no incoming webhook of JANDI for this topic")
    return default


class JandiChannel:
    """A JANDI team: topics with outgoing webhooks, and incoming webhooks for replies."""

    name = CHANNEL
    rooms_opened_by: ClassVar[str] = "jandi_url"
    settings = ("jandi_token", "jandi_url")
    endpoints: ClassVar[Mapping[str, Endpoint[Any]]] = {
        "/intake/jandi": Endpoint("A message of a JANDI topic", _verify, _receive)
    }

    def send(self, settings: Settings, message: OutboundMessage, client: httpx.Client) -> None:
        """Post a card to the incoming webhook of the topic."""
        url = webhook_of(settings, message.room)
        page = f"/issues/{message.sr_id}" if message.sr_id else ""
        link = (settings.public_origin or settings.board_address) + page
        color = _ALERT_COLOR if message.kind == "alert" else _COLOR
        card = _card(message.text, message.choices, link, color)
        answer = client.post(url, json=card, headers={"Accept": _ACCEPTS})
        if _code(answer) == _LIMITED or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise RetryLater(_PAUSE)
        if answer.is_client_error:
            raise NotConfigured(f"JANDI refuses the message ({_code(answer)})")
        answer.raise_for_status()


def _code(answer: httpx.Response) -> int:
    """Return the code of JANDI's own error; its text may repeat what was sent."""
    try:
        found = answer.json()
    except ValueError:
        return answer.status_code
    code = found.get("code") if isinstance(found, dict) else None
    return code if type(code) is int else answer.status_code
