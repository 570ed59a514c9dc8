"""The port of intake channels: what a messenger, a mailbox or an alert source must offer.

A channel never imports the web framework. `routes.py` maps its endpoints to HTTP, and a worker
sends its messages without loading a web stack.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import httpx
from pydantic import BaseModel, ValidationError

from guardia.board.core.context import BoardContext
from guardia.board.notifications.delivery import OutboundMessage
from guardia.i18n import t
from guardia.settings import Settings

Payload = TypeVar("Payload", bound=BaseModel)
Verified = TypeVar("Verified")


class RequestRefused(Exception):
    """A channel does not accept a request; `status` is the 4xx that answers it."""

    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(message)


class NotConfigured(Exception):
    """A message has no recipient, or the channel will never take it: a retry cannot help."""


class RetryLater(OSError):
    """A channel takes no more messages for some seconds, and says so."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"again in {seconds:.0f} s")


@dataclass(frozen=True, slots=True)
class InboundRequest:
    """A POST to an endpoint. `body` is kept as sent, for channels that sign it."""

    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes
    form: Mapping[str, str]
    """The fields of a form; empty if the body is JSON."""
    base_url: str
    """Address under which the sender reached the board."""

    def payload(self) -> Mapping[str, Any]:
        """Return the JSON object or the form. Raises `RequestRefused` (400) for other JSON."""
        if "json" not in self.headers.get("content-type", ""):
            return self.form
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError) as error:  # the latter for thousands of brackets
            raise RequestRefused(400, t("intake.not_json")) from error
        if not isinstance(found, dict):
            raise RequestRefused(400, t("intake.not_json"))
        return found

    def parse(self, model: type[Payload]) -> Payload:
        """Validate the payload. Raises `RequestRefused` (422) with the first invalid field."""
        return self.parse_part(model, self.payload())

    @staticmethod
    def parse_part(model: type[Payload], part: Mapping[str, Any]) -> Payload:
        """Validate a part of the payload, as `parse` does."""
        try:
            return model.model_validate(part)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise RequestRefused(422, t("intake.field", field=name)) from error


@dataclass(frozen=True, slots=True)
class InboundReply:
    """The JSON that answers a request; without a body, the answer is empty."""

    body: Mapping[str, Any] | None = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True)
class Endpoint(Generic[Verified]):
    """One address of a channel. `handle` receives what `verify` returned, so neither is skipped.

    Both may block: they run in a thread.
    """

    summary: str
    """One line for the description of the API."""
    verify: Callable[[Settings, InboundRequest], Verified]
    """Check the sender. Raises `RequestRefused` (401) for a wrong token or signature."""
    handle: Callable[[BoardContext, Settings, InboundRequest, Verified], InboundReply]

    def answer(
        self, board: BoardContext, settings: Settings, request: InboundRequest
    ) -> InboundReply:
        """Verify and handle a request."""
        return self.handle(board, settings, request, self.verify(settings, request))


class Channel(Protocol):
    """A way in and out of the board; see "What adding costs" in CONTRIBUTING.md."""

    @property
    def name(self) -> str:
        """Name in issues, in the audit log and of the text `web.channel.<name>`."""

    @property
    def settings(self) -> tuple[str, ...]:
        """Fields of `Settings` that open the channel."""

    @property
    def endpoints(self) -> Mapping[str, Endpoint[Any]]:
        """Endpoints by path below `/intake/`; `{}` for a channel that only sends."""

    def send(self, settings: Settings, message: OutboundMessage, client: httpx.Client) -> None:
        """Send a reply or an alert.

        Raises `NotConfigured` if there is no recipient, `RetryLater` if the channel names a time,
        `httpx.HTTPError` or `OSError` if sending fails. Requests go through `client`: it has a time
        limit and the `Idempotency-Key`.
        """


@runtime_checkable
class RoomChannel(Channel, Protocol):
    """A messenger: it can write to rooms that have not written to it."""

    rooms_opened_by: ClassVar[str]
    """Field of `Settings` without which it cannot."""
