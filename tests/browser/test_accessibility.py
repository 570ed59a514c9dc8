"""Every page against the rules of WCAG 2.1 AA by axe, light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe_playwright_python.base as axe
import pytest
from board_env import ENGINEER, BoardEnv
from document_env import DocumentEnv
from page_env import IssueScenario
from playwright.sync_api import Page

from guardia.board.cmdb.server_list import ServerFilter
from guardia.board.remote_console import progress, runs
from guardia.board.remote_console.policy import TargetState
from guardia.board.remote_console.progress import ReadResult
from guardia.board.remote_console.targets import RunLimits
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


FURTHER = (
    "/reports", "/papers/templates", "/papers/templates/month", "/help", "/help/team_lead",
    "/remote", "/remote/new?tool=service.health&institution=MOF", "/remote/1",
    "/remote/1/servers/1", "/documents", "/documents/new", "/documents/upload", "/documents/1",
    "/documents/review",
)  # fmt: skip


def test_axe_finds_nothing_serious_on_further_pages(
    web_env: BoardEnv, site: str, sign_in: Callable[..., Page], refusals: list[str], tmp_path: Path
) -> None:
    asked = runs.RunRequest(tool="host.load", wanted=ServerFilter(institution="MOF"))
    number = runs.start(web_env.board, ENGINEER, asked, RunLimits(10, 10))
    work = progress.begin(web_env.board, number)
    assert work is not None
    for ordinal, _ in progress.take(web_env.board, work, 1):
        result = ReadResult(TargetState.FAILED, 1234, {"cores": 4}, "출력", why="접속 실패")
        progress.settle(web_env.board, work, ordinal, result)
    DocumentEnv(web_env.board, tmp_path).add("# 점검\n\n내용", submit=True)
    page = sign_in("pm", "/")
    found = []
    for path in FURTHER:
        answer = page.goto(f"{site}{path}")
        assert answer is not None and answer.status == 200, path
        for scheme, width in (("dark", 390), ("light", 1440)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(250)  # colours change with a transition
            found += [f"{scheme} {width} {fault}" for fault in serious(page)]
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    refusals.clear()  # the rules of our pages refuse the styles of axe itself
    assert not found, "\n".join(found)
