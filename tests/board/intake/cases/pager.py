"""A second channel, added by `test_registry.py`: everything that a channel needs."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel, SecretStr

from guardia.board.core.context import BoardContext
from guardia.board.intake.channels import (
    Endpoint,
    InboundReply,
    InboundRequest,
    NotConfigured,
    RequestRefused,
)
from guardia.board.issues import receiving
from guardia.board.notifications.delivery import OutboundMessage
from guardia.settings import Settings


class Page(BaseModel):
    """A post of the pager."""

    number: str
    text: str


def _verify(settings: Settings, request: InboundRequest) -> Page:
    key: SecretStr = settings.pager_key or SecretStr("")  # type: ignore[attr-defined]
    signature = hmac.new(key.get_secret_value().encode(), request.body, "sha256").hexdigest()
    if not key or not hmac.compare_digest(signature, request.headers.get("x-pager-signature", "")):
        raise RequestRefused(401, "서명이 맞지 않습니다.")
    return request.parse(Page)


def _receive(
    board: BoardContext, _settings: Settings, _request: InboundRequest, page: Page
) -> InboundReply:
    new = receiving.NewIssue(
        text=page.text, channel="pager", sender="pager", room="7", external_id=page.number
    )
    return InboundReply({"issue": receiving.receive_issue(board, new)}, status=202)


class PagerChannel:
    """A pager with a signed webhook."""

    name = "pager"
    settings = ("pager_key", "pager_url")
    endpoints: ClassVar[Mapping[str, Endpoint[Any]]] = {
        "/intake/pager": Endpoint("A page", _verify, _receive)
    }

    def send(self, settings: Settings, message: OutboundMessage, client: httpx.Client) -> None:
        """Send a message to the pager's gateway."""
        url: SecretStr | None = settings.pager_url  # type: ignore[attr-defined]
        if url is None:
            raise NotConfigured("no pager is configured")
        body = {"to": message.room, "beep": message.text}
        client.post(url.get_secret_value(), json=body).raise_for_status()
