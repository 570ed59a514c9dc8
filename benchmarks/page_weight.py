"""Requests, bytes and first paint of a cold issue page in Chromium, per role.

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
from urllib.parse import urlsplit

from board_env import ENGINEER, seeded_env
from page_env import PASSWORD, IssueScenario, enrol_page_users, page_app, serve_app
from playwright.sync_api import Browser, sync_playwright

from guardia.board.core.actors import Actor
from guardia.board.issues import comments
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.migrate import upgrade

CHROMIUM = "/usr/bin/chromium"
PAINT = "performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)[0]"
"""Milliseconds from the navigation until the browser draws anything."""


def measure(browser: Browser, site: str, account: str, path: str) -> dict[str, Any]:
    """Open a page once without a cache; return what it took."""
    context = browser.new_context(locale="ko-KR", viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{site}/login")
    page.get_by_label("아이디").fill(account)
    page.get_by_label("비밀번호").fill(PASSWORD)
    page.get_by_role("button", name="로그인").click()
    page.wait_for_url(lambda url: "/login" not in url)
    devtools = context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.clearBrowserCache")
    kinds: dict[str, str] = {}
    sizes: dict[str, float] = {}
    devtools.on("Network.responseReceived", lambda e: kinds.update(_kind(e)))
    devtools.on(
        "Network.loadingFinished",
        lambda e: sizes.update({e["requestId"]: e["encodedDataLength"]}),
    )
    page.goto(f"{site}{path}")
    page.wait_for_selector(".live.on")
    page.wait_for_timeout(500)
    paint = page.evaluate(PAINT)
    context.close()
    by_kind: dict[str, int] = {}
    for number, size in sizes.items():
        kind = kinds.get(number, "other")
        by_kind[kind] = by_kind.get(kind, 0) + round(size)
    return {"requests": len(kinds), "bytes": sum(by_kind.values()), "by": by_kind, "paint": paint}


def _kind(event: dict[str, Any]) -> dict[str, str]:
    """Return the kind of a response by its request; nothing if it came over no network."""
    answer = event["response"]
    if answer["url"].startswith("data:") or answer.get("fromDiskCache") or not answer["status"]:
        return {}
    if not answer.get("encodedDataLength"):
        return {}  # from the memory of the browser
    ending = urlsplit(answer["url"]).path.rpartition(".")[2]
    return {event["requestId"]: ending if ending in {"css", "js", "woff2", "svg"} else "html"}


def _measure_all(dsn: str, runs: int, chromium: str) -> dict[str, Any]:
    with seeded_env(dsn) as env:
        enrol_page_users(env)
        scenario = IssueScenario(env).waiting(requester_id="cus", institution="MOF")
        for number in range(20):
            text = f"{number}번째 의견: 배치 종료 후 **다시** 확인했습니다."
            comments.add_comment(env.board, scenario.sr_id, Actor.of(ENGINEER), text)
        with serve_app(page_app(env.board)) as site, sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            path = f"/issues/{scenario.sr_id}"
            return {
                account: _median([measure(browser, site, account, path) for _ in range(runs)])
                for account in ("lead", "eng", "cus")
            }


def _median(found: list[dict[str, Any]]) -> dict[str, Any]:
    times = {"paint": round(statistics.median(one["paint"] for one in found))}
    return {**found[-1], **times}


def main() -> None:
    """Measure the page as a team lead, an engineer and a customer."""
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
