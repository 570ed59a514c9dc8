"""The navigation in a real browser: groups in wide windows, the bar at the bottom of telephones."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from board_env import BoardEnv
from page_env import IssueScenario
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]

PHONE = {"width": 390, "height": 844}
TARGET = 44
"""Smallest side of what a thumb must hit, in CSS pixels."""
BOXES = """found => found.map(e => {
  const box = e.getBoundingClientRect();
  return [box.top, box.bottom, box.width, box.height];
})"""


def shot(page: Page, name: str) -> None:
    """Write a screenshot if GUARDIA_SHOTS names a folder."""
    folder = os.environ.get("GUARDIA_SHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"navigation-{name}.png")


def test_a_telephone_has_the_daily_places_within_reach(
    sign_in: Callable[..., Page], web_env: BoardEnv, site: str
) -> None:
    scenario = IssueScenario(web_env).waiting()
    page = sign_in("lead", "/issues")
    bar = page.locator(".bottom-bar")
    expect(bar).to_be_hidden()
    page.set_viewport_size(PHONE)
    expect(bar).to_be_visible()
    expect(bar.get_by_role("link", name="할 일")).to_contain_text("1")
    entries = bar.locator("> *")
    expect(entries).to_have_count(5)
    for top, bottom, width, height in entries.evaluate_all(BOXES):
        assert (width >= TARGET, height >= TARGET) == (True, True)
        assert top >= 0 and bottom <= PHONE["height"]
    shot(page, "list")
    # The end of a page is above the bar.
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    foot = page.locator("footer").evaluate("e => e.getBoundingClientRect().bottom")
    assert foot <= bar.evaluate("e => e.getBoundingClientRect().top") + 1
    # The buttons of a decision stay above it at every scroll position.
    page.goto(f"{site}/issues/{scenario.sr_id}")
    edge = bar.evaluate("e => e.getBoundingClientRect().top")
    for button in page.locator(".decide-bar button").all():
        expect(button).to_be_in_viewport(ratio=1)
        assert button.evaluate("e => e.getBoundingClientRect().bottom") <= edge
    shot(page, "decision")
    bar.get_by_role("link", name="찾기").click()
    expect(page.get_by_role("dialog", name=re.compile("빠른"))).to_be_visible()
    page.keyboard.press("Escape")
    bar.get_by_role("button", name="메뉴").click()
    menu = page.get_by_role("navigation", name="전체 메뉴")
    expect(menu.get_by_role("heading", name="서버·변경")).to_be_visible()
    shot(page, "menu")
    for _, bottom, _, height in menu.get_by_role("link").evaluate_all(BOXES):
        assert height >= 40 and bottom > 0
    menu.get_by_role("link", name="변경 일정").click()
    expect(page).to_have_url(f"{site}/changes")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_what_gets_the_focus_is_not_behind_the_bar(
    sign_in: Callable[..., Page], web_env: BoardEnv
) -> None:
    page = sign_in("lead", "/issues/new")
    page.set_viewport_size(PHONE)
    edge = page.locator(".bottom-bar").evaluate("e => e.getBoundingClientRect().top")
    for _ in range(40):
        page.keyboard.press("Tab")
        place = page.evaluate(
            """() => {
              const at = document.activeElement;
              if (!at || at === document.body || at.closest(".bottom-bar")) return null;
              return at.getBoundingClientRect().bottom;
            }"""
        )
        assert place is None or place <= edge + 1


def test_a_wide_window_has_a_row_and_a_menu_in_groups(
    sign_in: Callable[..., Page], site: str
) -> None:
    page = sign_in("lead", "/issues")
    row = page.get_by_role("navigation", name="주 메뉴")
    expect(row.get_by_role("link", name="요청 목록")).to_have_attribute("aria-current", "page")
    page.get_by_role("button", name="더보기").click()
    menu = page.get_by_role("navigation", name="전체 메뉴")
    headings = ["요청·결재", "서버·변경", "AI 조직", "문서", "현황·관리"]
    expect(menu.get_by_role("heading")).to_have_text(headings)
    shot(page, "wide")
    menu.get_by_role("link", name="비용").click()
    expect(page).to_have_url(f"{site}/costs")
    expect(row.get_by_role("link", name="비용")).to_have_count(0)
    # The row has room for all of its entries.
    assert row.evaluate("e => e.scrollWidth <= e.clientWidth")
    page.get_by_role("button", name="더보기").click()
    expect(menu.get_by_role("link", name="비용")).to_have_attribute("aria-current", "page")
