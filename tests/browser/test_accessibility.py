"""Every page against the rules of WCAG 2.1 AA by axe, light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import axe_playwright_python.base as axe
import pytest
from board_env import BoardEnv
from page_env import IssueScenario
from playwright.sync_api import Page

from guardia.board.web.navigation import NAVIGATION_ITEMS

pytestmark = [pytest.mark.slow, pytest.mark.browser]

SOURCE = axe.AXE_FILE_PATH.read_text("utf-8")
VISITS = [("lead", "light", 1440), ("admin", "dark", 390), ("cus", "dark", 1440)]
RUN = """() => axe.run(document, {
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
  resultTypes: ["violations"],
})"""


def serious(page: Page) -> list[str]:
    """Return what axe finds serious or critical on the page, with the elements."""
    page.evaluate(SOURCE)
    found: dict[str, Any] = page.evaluate(RUN)
    return [
        f"{page.url}: {one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"][:3]
    ]


@pytest.mark.parametrize(("role", "scheme", "width"), VISITS)
def test_axe_finds_nothing_serious(
    web_env: BoardEnv,
    site: str,
    sign_in: Callable[..., Page],
    refusals: list[str],
    role: str,
    scheme: str,
    width: int,
) -> None:
    scenario = IssueScenario(web_env).waiting()
    page = sign_in(role, "/")
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    found = []
    for path in ["/about", f"/issues/{scenario.sr_id}", *(i.path for i in NAVIGATION_ITEMS)]:
        answer = page.goto(f"{site}{path}")
        assert answer is not None
        if answer.status == 200:
            found += serious(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    refusals.clear()  # the rules of our pages refuse the styles of axe itself
    assert not found, "\n".join(found)
