"""Requests, bytes and first paint of cold pages in Chromium: home, list, dashboard, issue by role.

    make bench NAME=page_weight ARGS="--runs 5"

The real server over a PostgreSQL of its own, and a new browser context without any cache for each
run. Bytes are those on the wire, headers included. A computer without a Korean font also loads the
page's own. The report is JSON; times are medians, in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from board_env import ENGINEER, seeded_env
from page_cost import measure
from page_env import IssueScenario, enrol_page_users, page_app, serve_app
from playwright.sync_api import sync_playwright

from guardia.board.core.actors import Actor
from guardia.board.issues import comments
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.migrate import upgrade

CHROMIUM = "/usr/bin/chromium-headless-shell"


def _measure_all(dsn: str, runs: int, chromium: str) -> dict[str, Any]:
    with seeded_env(dsn) as env:
        enrol_page_users(env)
        scenario = IssueScenario(env).waiting(requester_id="cus", institution="MOF")
        for number in range(20):
            text = f"{number}번째 의견: 배치 종료 후 **다시** 확인했습니다."
            comments.add_comment(env.board, scenario.sr_id, Actor.of(ENGINEER), text)
        with serve_app(page_app(env.board)) as site, sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            visits = [("lead", path) for path in ("/", "/issues", "/dashboard")]
            visits += [(account, f"/issues/{scenario.sr_id}") for account in ("lead", "eng", "cus")]
            return {
                f"{account} {path}": _median(
                    [measure(browser, site, account, path) for _ in range(runs)]
                )
                for account, path in visits
            }


def _median(found: list[dict[str, Any]]) -> dict[str, Any]:
    times = {"paint": round(statistics.median(one["paint"] for one in found))}
    return {**found[-1], **times}


def main() -> None:
    """Measure the pages that people open most."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--chromium", default=CHROMIUM)
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="guardia-page-"))
    home.chmod(0o711)
    with Cluster(home / "pg") as cluster:
        cluster.create_roles()
        upgrade(cluster.dsn(OWNER_ROLE))
        report = _measure_all(cluster.dsn(APPLICATION_ROLE), given.runs, given.chromium)
    print(json.dumps(report, ensure_ascii=False, indent=1))
    shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
