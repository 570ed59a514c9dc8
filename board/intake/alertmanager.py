"""Prometheus Alertmanager: webhook notifications (version 4) in; it takes no messages.

Format: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from guardia.board.core.context import BoardContext
from guardia.board.intake import alert_senders, prometheus_alerts
from guardia.board.intake.channels import Endpoint, InboundReply, InboundRequest
from guardia.settings import Settings

CHANNEL = "alertmanager"


def _verify(settings: Settings, request: InboundRequest) -> None:
    alert_senders.require_token(settings.alertmanager_token, request)


def _receive(
    board: BoardContext, _settings: Settings, request: InboundRequest, _verified: None
) -> InboundReply:
    """Store the alerts of a group."""
    payload = alert_senders.json_object(request)
    alerts = prometheus_alerts.parse_alerts(payload)
    omitted = alert_senders.count_of(payload.get("truncatedAlerts"))
    return alert_senders.accept_alerts(board, CHANNEL, request.body, alerts, omitted=omitted)


class AlertmanagerChannel(alert_senders.AlertSource):
    """An Alertmanager, or several that work as one."""

    name = CHANNEL
    settings = ("alertmanager_token",)
    endpoints: ClassVar[Mapping[str, Endpoint[Any]]] = {
        "/intake/alertmanager": Endpoint("A notification of an Alertmanager", _verify, _receive)
    }
