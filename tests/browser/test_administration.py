"""An administrator enrols a person by clicks, and the pages fit every window."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from board_env import BoardEnv
from page_env import ADMIN
from playwright.sync_api import Page, expect

from guardia.board.accounts import people

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATHS = {
    "admin": "/admin",
    "people": "/people",
    "person": "/people/eng",
    "new": "/people/new",
    "rights": "/rights",
    "history": "/rights/history",
    "review": "/rights/review",
    "tokens": "/tokens",
    "teams": "/teams",
    "chart": "/org/edit",
    "audit": "/audit",
    "entry": "/audit/1",
    "channels": "/channels",
    "workers": "/workers",
    "password": "/account/password",
}


def test_an_administrator_enrols_a_person_and_another_one_allows_it(
    sign_in: Callable[..., Page], site: str
) -> None:
    page = sign_in("admin", "/people")
    page.get_by_role("link", name="사용자 등록").click()
    page.get_by_label("아이디").fill("moon")
    page.get_by_label("이름").fill("문가온")
    page.get_by_label("역할").select_option("team_lead")
    page.get_by_role("button", name="등록하고 비밀번호 발급").click()
    expect(page.locator(".secret")).to_be_visible()
    expect(page.get_by_text("승인 대기")).to_be_visible()
    page.get_by_role("button", name="로그아웃").click()
    other = sign_in("officer", "/rights")
    other.get_by_role("button", name="승인").click()
    expect(other.get_by_text("승인을 기다리는 권한 요청이 없습니다")).to_be_visible()


def test_pages_fit_narrow_and_wide_windows(
    sign_in: Callable[..., Page], site: str, web_env: BoardEnv
) -> None:
    people.set_role(web_env.board, ADMIN, "eng", "pm", reason="인사 발령 2026-31호")
    people.set_role(web_env.board, ADMIN, "cus3", "auditor", reason="감사 지원")
    page, folder = sign_in("admin"), os.environ.get("GUARDIA_SHOTS")
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        for name, path in PATHS.items():
            page.goto(f"{site}{path}")
            overflow = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert overflow <= 0, (path, width, overflow)
            if folder:
                page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)
