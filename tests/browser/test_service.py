"""A customer's day: file with a form, read the expected time, rate, say that it is not resolved."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from board_env import LEAD, BoardEnv
from page_env import IssueScenario
from playwright.sync_api import Page, expect
from service_env import completed

from guardia.board.service_levels import due
from guardia.board.site_rules import changes, forms

pytestmark = [pytest.mark.slow, pytest.mark.browser]
SHOTS = os.environ.get("SCREENSHOTS", "")


def look(page: Page, name: str) -> None:
    """Check that a page fits on a telephone; with `SCREENSHOTS`, keep pictures of both sizes."""
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-{width}.png", full_page=True)


def test_a_customer_files_with_a_form(
    web_env: BoardEnv, sign_in: Callable[..., Page], refusals: list[str]
) -> None:
    page = sign_in("cus", "/requests/new")
    look(page, "forms")
    page.get_by_label("양식 검색").fill("비번")
    page.get_by_role("button", name="양식 검색").click()
    page.get_by_role("link", name="비밀번호 초기화").click()
    page.get_by_role("button", name="신청").click()
    expect(page.get_by_text("4개 항목을 확인해 주세요.")).to_be_visible()
    expect(page.get_by_label("계정(아이디)")).to_be_focused()
    assert len(refusals) == 1 and "422" in refusals[0]
    refusals.clear()
    look(page, "form-errors")
    page.get_by_label("계정(아이디)").fill("hnjang")
    page.get_by_label("시스템 이름").fill("예산회계시스템")
    page.get_by_label("증상").select_option("비밀번호 분실")
    page.get_by_label("본인 확인을 받을 행정전화").fill("044-215-0000")
    page.get_by_role("button", name="신청").click()
    page.wait_for_url("**/issues/*")
    due.process_due(web_env.board)
    page.reload()
    expect(page.get_by_text("까지 처리할 예정입니다")).to_be_visible()
    look(page, "filed")


def test_a_customer_rates_and_says_it_is_not_resolved(
    web_env: BoardEnv, sign_in: Callable[..., Page]
) -> None:
    number = completed(web_env)
    page = sign_in("cus", f"/issues/{number}")
    page.locator("label", has_text="매우 만족").click()
    page.locator("#rate-comment").fill("빠르게 처리되었습니다")
    look(page, "ended")
    page.get_by_role("button", name="제출").click()
    expect(page.get_by_text("만족도 5점(매우 만족)을 남기셨습니다.")).to_be_visible()
    page.locator("#unresolved summary").click()
    page.locator("#unresolved-reason").fill("여전히 느립니다")
    page.locator("#unresolved").get_by_role("button", name="보내기").click()
    expect(page.locator("#unresolved")).to_have_count(0)


def test_the_calendar_and_the_report(web_env: BoardEnv, sign_in: Callable[..., Page]) -> None:
    completed(web_env)
    given = {
        "name": "closing",
        "kind": "freeze",
        "sentence": "결산 기간에는 변경하지 않습니다.",
        "periods": "매월 말 2일 초 1일",
    }
    changes.add_rule(web_env.board, LEAD, forms.parse_rule(given, frozenset()), "결산")
    scenario = IssueScenario(web_env).waiting()
    web_env.create_filed_plan()
    page = sign_in("lead", "/changes")
    for shape in ("month", "week", "agenda"):
        page.goto(page.url.split("?")[0] + f"?view={shape}")
        look(page, f"changes-{shape}")
    page.goto(page.url.split("/changes")[0] + "/service-levels")
    look(page, "service-levels")
    page.goto(page.url.split("/service-levels")[0] + f"/issues/{scenario.sr_id}")
    expect(page.locator(".conflicts").first).to_contain_text("같은 서버")
    look(page, "decision")
