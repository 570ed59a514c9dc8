"""The console in a real browser: typing, completion by keyboard, confirmation, both widths."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from board_env import BoardEnv
from command_env import one
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

SignIn = Callable[..., Page]


@pytest.mark.slow
@pytest.mark.parametrize("width", [1440, 390])
def test_a_command_is_completed_understood_confirmed_and_taken_back(
    sign_in: SignIn, web_env: BoardEnv, width: int
) -> None:
    sr = web_env.create_parsed_task().sr_id
    page = sign_in("lead", "/console")
    page.set_viewport_size({"width": width, "height": 900})
    line = page.get_by_role("combobox", name="명령")
    line.press_sequentially(f"#{sr} 김철")
    expect(page.get_by_role("option")).to_have_count(1)
    _shoot(page, f"console-completion-{width}")
    line.press("ArrowDown")
    line.press("Enter")
    expect(line).to_have_value(f"#{sr} 김철수 대리 ")
    line.press_sequentially("한테 배정해줘")
    expect(page.locator("#understood code")).to_contain_text('"action": "reassign"')
    line.press("Escape")
    line.press("Enter")
    expect(page.locator(".result .outcome")).to_contain_text("김철수 대리로 변경했습니다")
    _shoot(page, f"console-result-{width}")
    page.get_by_role("combobox").fill(f"#{sr} 중단해")
    page.get_by_role("button", name="실행", exact=True).first.click()
    expect(page.locator(".result .outcome")).to_contain_text("5분 안에")
    _shoot(page, f"console-confirm-{width}")
    assert one(web_env, "select status from tb_sr_request") == "PARSED"
    page.locator(".result").get_by_role("button", name="실행").click()
    expect(page.locator(".result .meta")).to_contain_text("중단")
    assert one(web_env, "select status from tb_sr_request") == "ABORTED"
    fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert page.evaluate(fits)


def _shoot(page: Page, name: str) -> None:
    folder = os.environ.get("GUARDIA_SHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
