"""Entering, refusing, importing and undoing the duty roster in a real browser."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = os.environ.get("SHOTS")
TABLE = """당직,분야,담당자,요일,시작,종료
주말,WAS,eng,주말,09:00,18:00
심야,DB,없는사람,매일,22:00,06:00
"""


@pytest.mark.parametrize("width", [1440, 390])
def test_a_lead_keeps_the_roster(
    sign_in: Callable[..., Page], width: int, refusals: list[str], tmp_path: Any
) -> None:
    page = sign_in("lead", "/roster")
    page.set_viewport_size({"width": width, "height": 900})
    shoot(page, f"empty-{width}")
    duties = page.locator("section", has=page.locator("#duties-title"))
    duties.get_by_role("link", name="등록").click()
    page.get_by_label("당직 이름").fill("평일 야간")
    page.get_by_label("담당자").fill("없는사람")
    page.locator("label[for=day-sun]").click()
    page.get_by_role("button", name="저장").click()
    expect(page.locator("#id-error")).to_be_visible()
    refusals.clear()
    expect(page.get_by_label("담당자")).to_have_value("없는사람")
    expect(page.get_by_label("일", exact=True)).not_to_be_checked()
    shoot(page, f"refused-{width}")
    assert_fits(page)
    page.get_by_label("당직 이름").fill("야간")
    page.get_by_label("담당자").fill("eng")
    page.get_by_role("button", name="저장").click()
    expect(duties.get_by_text("야간")).to_be_visible()
    duties.get_by_role("link", name="파일에서 가져오기").click()
    file = tmp_path / "당직.csv"
    file.write_text(TABLE, "cp949")
    page.get_by_label("파일", exact=True).set_input_files(file)
    page.get_by_role("button", name="변경 내용 확인").click()
    expect(page.get_by_text("3번째 줄")).to_be_visible()
    shoot(page, f"checked-{width}")
    assert_fits(page)
    page.locator("label[for=skip-bad]").click()
    page.get_by_role("button", name="반영").click()
    expect(duties.get_by_text("주말")).to_be_visible()
    shoot(page, f"full-{width}")
    assert_fits(page)
    changes = page.locator("section", has=page.locator("#changes-title"))
    changes.get_by_role("button", name="되돌리기").first.click()
    expect(duties.get_by_text("주말")).to_have_count(0)
    expect(duties.get_by_text("야간")).to_be_visible()
    page.goto(page.url.split("/roster")[0] + "/roster/list/owner")
    shoot(page, f"owners-{width}")
    assert_fits(page)


def shoot(page: Page, name: str) -> None:
    """Keep a picture, if SHOTS names a folder."""
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/roster-{name}.png", full_page=True)


def assert_fits(page: Page) -> None:
    """Nothing is wider than the screen."""
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
