"""Alerts over a seeded board: endpoints of the monitoring systems, a clock, the worker's job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from board_env import BoardEnv
from fastapi import FastAPI
from psycopg.rows import dict_row
from starlette.testclient import TestClient

from guardia.board.alerts import due, settling
from guardia.board.alerts.rules import AlertRules
from guardia.board.intake import routes
from guardia.board.web.body_limits import BodyLimitMiddleware
from guardia.settings import Settings

TOKEN = "경보-열쇠"
BEARER = {"authorization": b"Bearer " + TOKEN.encode()}
BEGIN = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)


def alert_settings(**more: Any) -> Settings:
    """Return settings in which every monitoring system has the token."""
    names = ("alertmanager_token", "grafana_token", "zabbix_token")
    return Settings(**(dict.fromkeys(names, TOKEN) | more))


@dataclass
class AlertsEnv:
    """A board that receives alerts, at a time that the test sets."""

    env: BoardEnv
    settings: Settings = field(default_factory=alert_settings)
    now: datetime = BEGIN

    def __post_init__(self) -> None:
        self.env.board = replace(self.env.board, clock=lambda: self.now)
        app = FastAPI()
        app.add_middleware(BodyLimitMiddleware)
        app.include_router(routes.router(self.env.board, self.settings))
        self.client = TestClient(app, raise_server_exceptions=False)

    def post(self, source: str, body: Any, **more: Any) -> Any:
        """Send a request to a channel."""
        return self.client.post(f"/intake/{source}", json=body, headers=BEARER, **more)

    def settle(self, source: str = "alertmanager") -> None:
        """Run the worker's job for a source."""
        settling.process_alerts(self.env.board, source, AlertRules.of(self.settings))

    def send(self, *alerts: Mapping[str, Any], source: str = "alertmanager") -> None:
        """Send alerts as one group, and settle them."""
        answer = self.post(source, group(*alerts))
        assert answer.status_code == 200, answer.text
        self.settle(source)

    def wait(self, **time: float) -> None:
        """Let time pass, and run what is due."""
        self.now += timedelta(**time)
        due.process_due(self.env.board)

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        with psycopg.connect(self.env.dsn, row_factory=dict_row) as connection:
            return connection.execute(query, values).fetchall()  # type: ignore[arg-type]

    def issues(self) -> list[dict[str, Any]]:
        """Return all issues in order."""
        return self.rows("select * from tb_sr_request order by sr_id")

    def alerts(self) -> list[dict[str, Any]]:
        """Return all alerts in order."""
        return self.rows("select * from tb_alert where key <> '~storm' order by alert_id")

    def comments(self, sr_id: int) -> list[str]:
        """Return the comments of an issue in order."""
        query = "select body from tb_comment where sr_id = %s order by comment_id"
        return [row["body"] for row in self.rows(query, sr_id)]

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """Return the audit entries of a kind."""
        return self.rows("select * from tb_audit_log where kind = %s order by seq", kind)


def alert(
    name: str = "HighLoad",
    *,
    instance: str = "MOF-DB-01:9100",
    status: str = "firing",
    severity: str = "critical",
    started: datetime = BEGIN,
    fingerprint: str = "",
    **labels: str,
) -> dict[str, Any]:
    """Return one alert as Alertmanager 0.25 sends it."""
    ended = "0001-01-01T00:00:00Z" if status == "firing" else "2026-11-30T04:00:00.123456789Z"
    return {
        "status": status,
        "labels": {"alertname": name, "instance": instance, "severity": severity, **labels},
        "annotations": {"summary": f"{name} on {instance}"},
        "startsAt": f"{started:%Y-%m-%dT%H:%M:%S}.123456789Z",
        "endsAt": ended,
        "generatorURL": "http://prometheus.local/graph",
        "fingerprint": fingerprint or f"{hash((name, instance, *labels.items())):x}".strip("-"),
    }


def group(*alerts: Mapping[str, Any], truncated: int = 0) -> dict[str, Any]:
    """Return a notification; its own status says nothing about each alert."""
    return {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": truncated,
        "status": "firing",
        "receiver": "guardia",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.local",
        "alerts": list(alerts),
    }
