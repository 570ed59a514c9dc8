"""The start page in a real browser: what waits, charts, and the order of cards."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from board_env import BoardEnv
from page_env import IssueScenario
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def test_a_lead_sees_what_waits_and_arranges_the_cards(
    web_env: BoardEnv, sign_in: Callable[..., Page]
) -> None:
    scenario = IssueScenario(web_env).waiting()
    page = sign_in("lead", "/")
    expect(page).to_have_title("(1) 내 할 일 · GUARDiA")
    expect(page.locator(".inbox").get_by_role("link", name=f"SR-{scenario.sr_id}")).to_be_visible()
    page.locator(".chart").first.scroll_into_view_if_needed()
    expect(page.locator(".chart[data-drawn] canvas").first).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("link", name="카드 편집").click()
    page.locator("label", has_text="시간대별 업무량").click()
    for _ in range(10):
        page.get_by_role("button", name="시간대별 업무량 위로").click()
    page.get_by_role("button", name="저장").click()
    first = page.locator(".cards h2").first
    expect(first).to_have_text("시간대별 업무량")
    page.locator(".chart").first.scroll_into_view_if_needed()
    page.locator(".chart canvas").first.wait_for()


def test_the_count_follows_what_happens(web_env: BoardEnv, sign_in: Callable[..., Page]) -> None:
    page = sign_in("lead", "/issues")
    expect(page).to_have_title("요청 목록 · GUARDiA")
    IssueScenario(web_env).waiting()
    expect(page).to_have_title("(1) 요청 목록 · GUARDiA")
