"""Alerts in the form of Prometheus' Alertmanager, which Grafana uses, too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from guardia.board.alerts.incoming import (
    MAX_NAME,
    IncomingAlert,
    hosts_of,
    parse_time,
    summary_of,
    text_of,
    texts_of,
)
from guardia.board.intake.alert_senders import (
    alert_objects,
    first_text,
    refuse_field,
    require_status,
)

_SUMMARIES = ("summary", "message", "description", "title")
_SEVERITIES = ("severity", "priority", "level")


def parse_alerts(payload: Mapping[str, Any], key_prefix: str = "") -> list[IncomingAlert]:
    """Return the alerts of a notification; each has a status of its own beside its group's."""
    common = texts_of(payload.get("commonLabels"))
    return [
        _parse_alert(alert, number, common, key_prefix)
        for number, alert in enumerate(alert_objects(payload))
    ]


def _parse_alert(
    alert: Mapping[str, Any], number: int, common: Mapping[str, str], key_prefix: str
) -> IncomingAlert:
    firing = require_status(alert, number)
    labels = texts_of(alert.get("labels"))
    if not labels:
        raise refuse_field(f"alerts.{number}.labels")
    notes = texts_of(alert.get("annotations"))
    merged = {**common, **labels}
    started = parse_time(alert.get("startsAt"))
    key = text_of(alert.get("fingerprint"), MAX_NAME) or _fingerprint(labels)
    return IncomingAlert(
        key=f"{key_prefix}{key}",
        rule=first_text((merged.get("alertname", ""), merged.get("rulename", ""), "-"))[:MAX_NAME],
        firing=firing,
        episode=started.isoformat() if started else "",
        severity=first_text(merged.get(name, "") for name in _SEVERITIES)[:MAX_NAME],
        summary=summary_of(*(notes.get(name) for name in _SUMMARIES), alert.get("valueString")),
        hosts=hosts_of(merged),
        labels=labels,
        url=first_text(
            text_of(alert.get(name)) for name in ("generatorURL", "panelURL", "dashboardURL")
        ),
        started_at=started,
    )


def _fingerprint(labels: Mapping[str, str]) -> str:
    """Return an identity of a label set, for sources that send none."""
    return hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:32]
