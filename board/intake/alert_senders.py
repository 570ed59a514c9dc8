"""What the channels of monitoring systems share: verify the sender, read and store its alerts."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import httpx
from pydantic import SecretStr

from guardia.board.alerts.inbox import MAX_ALERTS, store_delivery
from guardia.board.alerts.incoming import IncomingAlert
from guardia.board.core.context import BoardContext
from guardia.board.intake.channels import (
    InboundReply,
    InboundRequest,
    NotConfigured,
    RequestRefused,
)
from guardia.board.notifications.delivery import OutboundMessage
from guardia.i18n import t
from guardia.settings import Settings

_BUSY = 503


def accept_alerts(
    board: BoardContext,
    source: str,
    body: bytes,
    alerts: Sequence[IncomingAlert],
    *,
    omitted: int = 0,
) -> InboundReply:
    """Store the alerts of a delivery and answer; nothing that was answered with 200 is lost."""
    if store_delivery(board, source, body, alerts, omitted=omitted):
        return InboundReply({"alerts": len(alerts)})
    # Every one of these systems sends again after a 503, and none after a 4xx.
    return InboundReply({"message": t("alerts.busy")}, _BUSY)


def require_token(secret: SecretStr | None, request: InboundRequest) -> None:
    """Raise `RequestRefused` (401) unless the request has one of our tokens.

    Accepted as `Authorization: Bearer TOKEN`, or as the password of HTTP Basic.
    """
    given = _given_token(request.headers.get("authorization", ""))
    known = [hmac.compare_digest(one.encode(), given) for one in tokens_of(secret)]
    if not given or not any(known):
        raise RequestRefused(401, t("alerts.token"))


def tokens_of(secret: SecretStr | None) -> tuple[str, ...]:
    """Return the tokens of a setting, separated by commas; empty if the channel is closed."""
    text = secret.get_secret_value() if secret else ""
    return tuple(token for part in text.split(",") if (token := part.strip()))


def _given_token(header: str) -> bytes:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip(" \t").encode("latin-1", "replace")  # the bytes as they were sent
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


def json_object(request: InboundRequest) -> Mapping[str, Any]:
    """Return the JSON object of a body of any content type."""
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError) as error:  # the latter for thousands of brackets
        raise RequestRefused(400, t("intake.not_json")) from error
    if not isinstance(found, dict):
        raise RequestRefused(400, t("intake.not_json"))
    return found


def alert_objects(payload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the list `alerts` of a payload. Raises `RequestRefused` if it is none."""
    found = payload.get("alerts")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise refuse_field("alerts")
    if len(found) > MAX_ALERTS:
        raise RequestRefused(413, t("alerts.too_many", most=MAX_ALERTS))
    return found


def require_status(alert: Mapping[str, Any], number: int) -> bool:
    """Return whether an alert fires. Raises `RequestRefused` if it does not say so."""
    status = alert.get("status")
    if status not in ("firing", "resolved"):
        raise refuse_field(f"alerts.{number}.status")
    return bool(status == "firing")


def refuse_field(name: str) -> RequestRefused:
    """Return the refusal (422) of a missing or wrong field."""
    return RequestRefused(422, t("intake.field", field=name))


def count_of(value: object) -> int:
    """Return a number of a payload; 0 for anything else."""
    return value if type(value) is int and 0 < value < 2**31 else 0


class AlertSource:
    """What the channels of monitoring systems have in common: they only receive."""

    def send(self, settings: Settings, message: OutboundMessage, client: httpx.Client) -> None:
        """Refuse: a monitoring system takes no messages."""
        raise NotConfigured("a monitoring system takes no messages")


def first_text(values: Iterable[str]) -> str:
    """Return the first text that is not empty."""
    return next((one for one in values if one), "")
