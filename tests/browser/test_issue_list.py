"""The issue list by keyboard: completion, rows, palette, help, a new request."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from board_env import BoardEnv
from page_env import IssueScenario
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]
SignIn = Callable[..., Page]


def test_the_filter_is_completed_by_keyboard(web_env: BoardEnv, sign_in: SignIn) -> None:
    scenario = IssueScenario(web_env).receive("운영DB가 느려요").parse()
    web_env.create_issue(text="다른 요청")
    page = sign_in("lead", "/issues")
    page.keyboard.press("/")
    field = page.locator("#q")
    expect(field).to_be_focused()
    page.keyboard.type("assignee:김")
    options = page.locator("#completions").get_by_role("option")
    expect(options).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(field).to_have_value("assignee:eng ")
    page.keyboard.press("Enter")
    rows = page.locator("[data-row]")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(f"SR-{scenario.sr_id}")


def test_rows_are_chosen_and_opened_by_keyboard(web_env: BoardEnv, sign_in: SignIn) -> None:
    first, second = (web_env.create_issue(text=f"요청 {n}") for n in range(2))
    page = sign_in("lead", "/issues")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("[data-chosen]")).to_have_text("(2)")
    page.locator("#bulk-act").select_option("take")
    page.locator("#bulk button").first.click()
    expect(page.get_by_text("요청 2건을 처리합니다")).to_be_visible()
    page.locator("form[data-once] button[type=submit]").click()
    expect(page.locator("h1")).to_have_text("내가 맡기: 2건을 처리했습니다.")
    page.goto(page.url.replace("/issues/bulk/run", "/issues"))
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("o")
    page.wait_for_url(f"**/issues/{second}")
    assert first < second


def test_the_palette_and_the_help_open_on_every_page(web_env: BoardEnv, sign_in: SignIn) -> None:
    scenario = IssueScenario(web_env).receive("운영DB가 느려요").parse()
    page = sign_in("lead", "/")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.locator("label[for=plain-keys]").click()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("Control+k")
    expect(page.locator("#palette-field")).to_be_focused()
    page.keyboard.type(f"SR-{scenario.sr_id}")
    expect(page.locator("#palette-found a").first).to_contain_text("운영DB가 느려요")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/issues/{scenario.sr_id}")


def test_one_key_leads_to_a_new_request_but_not_from_a_field(
    web_env: BoardEnv, sign_in: SignIn, site: str
) -> None:
    web_env.create_issue(text="첫 요청")
    page = sign_in("lead", "/issues")
    page.keyboard.press("/")
    page.keyboard.type("cjk?")
    expect(page.locator("#q")).to_have_value("cjk?")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("Escape")  # a list that has opened meanwhile closes first
    page.keyboard.press("Escape")
    expect(page.locator("#q")).not_to_be_focused()
    expect(page.locator("#q")).to_have_value("cjk?")
    page.keyboard.press("c")
    page.wait_for_url(f"{site}/issues/new")
    expect(page.get_by_label("제목")).to_be_visible()
