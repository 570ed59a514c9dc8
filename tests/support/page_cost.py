"""Requests, bytes on the wire and first paint of a page that a browser opens without a cache."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from page_env import PASSWORD
from playwright.sync_api import Browser

PAINT = "performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)[0]"
"""Milliseconds from the navigation until the browser draws anything."""


CHARTS = "charts"
"""Kind of the library that draws charts: it is loaded behind the page, once one is in view."""
SETTLED = 700
"""Milliseconds after the load in which the parts arrive that the page's scripts ask for."""


def measure(browser: Browser, site: str, account: str, path: str) -> dict[str, Any]:
    """Open a page once without a cache; return what it took."""
    context = browser.new_context(locale="ko-KR", viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{site}/login")
    page.get_by_label("아이디").fill(account)
    page.get_by_label("비밀번호").fill(PASSWORD)
    page.get_by_role("button", name="로그인").click()
    page.wait_for_url(lambda url: "/login" not in url)
    page.goto("about:blank")  # what the first page still loads does not count
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
    page.wait_for_timeout(SETTLED)
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
    path = urlsplit(answer["url"]).path
    if "/echarts/" in path:
        return {event["requestId"]: CHARTS}
    ending = path.rpartition(".")[2]
    return {event["requestId"]: ending if ending in {"css", "js", "woff2", "svg"} else "html"}
