"""Grafana: webhook contact points (unified alerting) and the older dashboard alerts in.

Format: https://grafana.com/docs/grafana/latest/alerting/configure-notifications/
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from guardia.board.alerts.incoming import (
    MAX_NAME,
    IncomingAlert,
    hosts_of,
    summary_of,
    text_of,
    texts_of,
)
from guardia.board.core.context import BoardContext
from guardia.board.intake import alert_senders, prometheus_alerts
from guardia.board.intake.channels import Endpoint, InboundReply, InboundRequest, RequestRefused
from guardia.i18n import t
from guardia.settings import Settings

CHANNEL = "grafana"
# The code of Grafana and its pages name the header differently.
_SIGNATURE_HEADERS = ("x-grafana-alerting-signature", "x-grafana-alert-signature")
_MAX_AGE = 300
_LEGACY_STATES = {"alerting": True, "no_data": True, "ok": False}


def _verify(settings: Settings, request: InboundRequest) -> None:
    """Check the signature, the token, or both, as the settings have them."""
    secrets = alert_senders.tokens_of(settings.grafana_secret)
    if secrets:
        _require_signature(settings, request, secrets)
    if settings.grafana_token is not None or not secrets:
        alert_senders.require_token(settings.grafana_token, request)


def _require_signature(
    settings: Settings, request: InboundRequest, secrets: tuple[str, ...]
) -> None:
    own = settings.grafana_signature_header.lower()
    names = (own,) if own else _SIGNATURE_HEADERS
    given = next((request.headers[name] for name in names if name in request.headers), "")
    signed = _timestamp_prefix(settings, request) + request.body
    found = [
        hmac.compare_digest(
            hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode(),
            given.strip().encode("latin-1", "replace"),
        )
        for secret in secrets
    ]
    if not any(found):
        raise RequestRefused(401, t("intake.signature"))


def _timestamp_prefix(settings: Settings, request: InboundRequest) -> bytes:
    """Return what is signed before the body; an old or future time is refused."""
    name = settings.grafana_timestamp_header.lower()
    if not name:
        return b""
    text = request.headers.get(name, "")
    now = datetime.now(UTC).timestamp()
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else 0
    if abs(now - seconds) > _MAX_AGE:
        raise RequestRefused(401, t("intake.signature"))
    return f"{text}:".encode()


def _receive(
    board: BoardContext, _settings: Settings, request: InboundRequest, _verified: None
) -> InboundReply:
    """Store the alerts of a notification."""
    payload = alert_senders.json_object(request)
    omitted = alert_senders.count_of(payload.get("truncatedAlerts"))
    alerts = _parse(payload)
    return alert_senders.accept_alerts(board, CHANNEL, request.body, alerts, omitted=omitted)


def _parse(payload: Mapping[str, Any]) -> list[IncomingAlert]:
    if "alerts" not in payload and ("ruleId" in payload or "evalMatches" in payload):
        return _parse_legacy(payload)
    # Organizations of one Grafana may have equal labels.
    organization = text_of(payload.get("orgId"), MAX_NAME)
    return prometheus_alerts.parse_alerts(payload, f"{organization}:" if organization else "")


def _parse_legacy(payload: Mapping[str, Any]) -> list[IncomingAlert]:
    """Return the alert of Grafana's dashboard alerting (before version 9)."""
    state = text_of(payload.get("state"), MAX_NAME)
    if state in ("paused", "pending"):
        return []
    rule = text_of(payload.get("ruleName"), MAX_NAME) or text_of(payload.get("title"), MAX_NAME)
    if state not in _LEGACY_STATES or not rule:
        raise alert_senders.refuse_field("state" if rule else "ruleName")
    tags = texts_of(payload.get("tags"))
    matches = payload.get("evalMatches")
    series = matches[0] if isinstance(matches, list) and matches else {}
    labels = {**texts_of(series.get("tags") if isinstance(series, dict) else None), **tags}
    organization = text_of(payload.get("orgId"), MAX_NAME) or "1"
    identity = text_of(payload.get("ruleId"), MAX_NAME) or rule
    return [
        IncomingAlert(
            key=f"{organization}:rule:{identity}",
            rule=rule,
            firing=_LEGACY_STATES[state],
            severity=labels.get("severity", "")[:MAX_NAME],
            summary=summary_of(payload.get("message"), payload.get("title")),
            hosts=hosts_of(labels),
            labels=labels,
            url=text_of(payload.get("ruleUrl")),
        )
    ]


class GrafanaChannel(alert_senders.AlertSource):
    """The alerts of a Grafana."""

    name = CHANNEL
    settings = (
        "grafana_token",
        "grafana_secret",
        "grafana_signature_header",
        "grafana_timestamp_header",
    )
    endpoints: ClassVar[Mapping[str, Endpoint[Any]]] = {
        "/intake/grafana": Endpoint("A notification of a Grafana", _verify, _receive)
    }
