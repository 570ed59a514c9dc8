"""Debian's Alertmanager over loopback: from `amtool` to an issue of the board and back."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
import pytest
from alerts_env import TOKEN
from board_env import BoardEnv
from page_env import page_app, serve_app
from waiting import wait_until

from guardia.board.alerts import settling
from guardia.board.alerts.rules import AlertRules
from guardia.settings import Settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("prometheus-alertmanager") is None, reason="not installed"),
]
CONFIG = """
route: {{receiver: guardia, group_by: [alertname], group_wait: 1s, group_interval: 1s,
         repeat_interval: 1h}}
receivers:
- name: guardia
  webhook_configs:
  - url: {url}/intake/alertmanager
    send_resolved: true
    http_config: {{authorization: {{credentials: {token}}}}}
"""


class Alertmanager:
    """A running Alertmanager that notifies a board."""

    def __init__(self, url: str) -> None:
        self.url = url

    def fire(self, *instances: str) -> None:
        """Send firing alerts through its API, as Prometheus does."""
        body = [
            {
                "labels": {"alertname": "QueueStuck", "severity": "warning", "instance": instance},
                "annotations": {"summary": "queue stuck"},
            }
            for instance in instances
        ]
        httpx.post(f"{self.url}/api/v2/alerts", json=body).raise_for_status()

    def tool(self, *words: str) -> None:
        """Run `amtool`."""
        command = ["amtool", f"--alertmanager.url={self.url}", "alert", "add", *words]
        subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def board_url(env: BoardEnv) -> Iterator[str]:
    with serve_app(page_app(env.board, alertmanager_token=TOKEN)) as url:
        yield url


@pytest.fixture
def alertmanager(board_url: str) -> Iterator[Alertmanager]:
    with tempfile.TemporaryDirectory(prefix="guardia-test-") as name, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
        probe.close()
        folder = Path(name)
        text = CONFIG.format(url=board_url, token=json.dumps(TOKEN))
        (folder / "am.yml").write_text(text, "utf-8")
        options = {
            "config.file": folder / "am.yml",
            "storage.path": folder / "data",
            "web.listen-address": address,
            "cluster.listen-address": "",
        }
        command = ["prometheus-alertmanager", *(f"--{k}={v}" for k, v in options.items())]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=dict(os.environ)) as process:
            found = Alertmanager(f"http://{address}")
            assert wait_until(lambda: _is_ready(found.url))
            yield found
            process.terminate()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


@pytest.mark.slow
def test_alerts_of_a_real_alertmanager_open_fold_and_close_issues(
    env: BoardEnv, alertmanager: Alertmanager
) -> None:
    def settled() -> list[tuple[str, str, int]]:
        settling.process_alerts(env.board, "alertmanager", AlertRules.of(Settings()))
        with psycopg.connect(env.dsn) as connection:
            query = """
                select i.title, i.status, a.count from tb_sr_request i
                join tb_alert a using (sr_id) order by i.sr_id
            """
            return connection.execute(query).fetchall()

    alertmanager.fire("MOF-DB-01:9100")
    title = "[경보] QueueStuck — MOF-DB-01"
    assert wait_until(lambda: settled() == [(title, "RECEIVED", 1)])
    # A second alert of the group: the notification lists the first one again.
    alertmanager.fire("MOF-DB-01:9100", "MOF-WAS-01:9100")
    other = "[경보] QueueStuck — MOF-WAS-01"
    assert wait_until(lambda: settled()[1:] == [(other, "RECEIVED", 1)])
    assert settled()[0] == (title, "RECEIVED", 2)
    # To the microsecond: rounded to a second, it would lie before the alert's own start.
    ended = f"--end={datetime.now(UTC).isoformat()}"
    for instance in ("MOF-DB-01:9100", "MOF-WAS-01:9100"):
        labels = ("alertname=QueueStuck", "severity=warning", f"instance={instance}")
        alertmanager.tool(*labels, "--annotation=summary=queue stuck", ended)
    assert wait_until(lambda: {status for _, status, _ in settled()} == {"ABORTED"})


@pytest.mark.slow
def test_a_group_of_many_alerts_arrives_whole(env: BoardEnv, alertmanager: Alertmanager) -> None:
    alertmanager.fire(*(f"host-{number}" for number in range(1500)))

    def folded() -> int:
        rules = replace(AlertRules.of(Settings()), issues_per_minute=3)
        settling.process_alerts(env.board, "alertmanager", rules)
        with psycopg.connect(env.dsn) as connection:
            query = "select count(*) from tb_alert where sr_id is not null and key <> '~storm'"
            row = connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    assert wait_until(lambda: folded() == 1500)
    with psycopg.connect(env.dsn) as connection:
        assert connection.execute("select count(*) from tb_sr_request").fetchone() == (4,)
