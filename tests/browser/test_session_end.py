"""The end of a session in a real browser: warning, extension, the end, and what was typed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from board_env import BoardEnv
from page_env import PASSWORD
from playwright.sync_api import Page, expect
from sqlalchemy import update

from guardia.org.model import LoginSession

pytestmark = [pytest.mark.slow, pytest.mark.browser]

SignIn = Callable[..., Page]


def rest(env: BoardEnv, *pages: Page, minutes: float) -> None:
    """Let time pass without an action, at the server and in the pages."""
    with env.board.database.transaction() as session:
        used_at = LoginSession.used_at - timedelta(minutes=minutes)
        session.execute(update(LoginSession).values(used_at=used_at))
    for page in pages:
        page.clock.fast_forward(int(minutes * 60_000))


def warning(page: Page) -> object:
    return page.get_by_role("dialog", name="자동 로그아웃 안내")


def sign_in_again(page: Page, account: str = "eng") -> None:
    page.get_by_label("아이디").fill(account)
    page.get_by_label("비밀번호").fill(PASSWORD)
    page.get_by_role("button", name="로그인").click()


def finds_after_signing_in(page: Page, site: str, title: str) -> None:
    """Sign in again; the form must hold the title that was sent in vain."""
    sign_in_again(page)
    page.wait_for_url(f"{site}/issues/new")
    expect(page.get_by_label("제목")).to_have_value(title)


def test_a_warning_comes_in_time_and_an_extension_loses_nothing(
    sign_in: SignIn, web_env: BoardEnv, tab: Page, site: str
) -> None:
    tab.clock.install()
    page = sign_in("eng", "/issues/new")
    other = page.context.new_page()
    other.clock.install()
    other.goto(f"{site}/issues")
    expect(page.locator("#time-left [data-left]")).to_have_text("30분")
    title = page.get_by_label("제목")
    title.fill("쓰는 중인 제")
    rest(web_env, page, other, minutes=26)
    for one in (page, other):
        expect(one.get_by_role("dialog", name="자동 로그아웃 안내")).to_be_visible()
    # In the field in which a person types, the focus and the next key stay.
    expect(title).to_be_focused()
    page.keyboard.type("목")
    expect(title).to_have_value("쓰는 중인 제목")
    expect(page.locator("#session-said")).to_contain_text("곧 자동으로 로그아웃")
    expect(page.locator("#time-left [data-left]")).to_have_text(re.compile("^[34]:[0-9]{2}$"))
    # Elsewhere the dialog takes the focus.
    extend = other.get_by_role("button", name="로그인 연장")
    expect(extend).to_be_focused()
    other.keyboard.press("Enter")
    for one in (page, other):
        expect(one.get_by_role("dialog", name="자동 로그아웃 안내")).to_be_hidden()
        expect(one.locator("#time-left [data-left]")).to_have_text("30분")
    expect(title).to_have_value("쓰는 중인 제목")


def test_an_action_in_another_tab_puts_the_warning_off(
    sign_in: SignIn, web_env: BoardEnv, tab: Page
) -> None:
    tab.clock.install()
    page = sign_in("eng", "/issues")
    page.clock.fast_forward("26:00")  # only this page has heard of no action
    expect(page.locator("#time-left [data-left]")).to_have_text("30분")
    expect(page.get_by_role("dialog", name="자동 로그아웃 안내")).to_be_hidden()


def test_what_was_typed_survives_the_end_and_the_sign_in(
    sign_in: SignIn, web_env: BoardEnv, tab: Page, site: str, refusals: list[str]
) -> None:
    tab.clock.install()
    page = sign_in("eng", "/issues/new")
    page.get_by_label("제목").fill("끝나기 전에 쓴 제목")
    other = page.context.new_page()
    other.goto(f"{site}/issues")
    rest(web_env, page, minutes=31)
    ended = page.get_by_role("dialog", name="자동으로 로그아웃되었습니다")
    expect(ended).to_be_visible()
    expect(ended).to_contain_text("작성 중이던 내용은 이 창에 보관")
    page.keyboard.press("Escape")
    expect(ended).to_be_visible()
    ended.get_by_role("link", name="다시 로그인").click()
    expect(page.get_by_text("로그인 시간이 끝나")).to_be_visible()
    sign_in_again(page)
    page.wait_for_url(f"{site}/issues/new")
    expect(page.get_by_label("제목")).to_have_value("끝나기 전에 쓴 제목")
    expect(page.get_by_text("작성하던 내용을 복원했습니다")).to_be_visible()
    # Restored once: a later visit begins empty.
    page.goto(f"{site}/issues/new")
    expect(page.get_by_label("제목")).to_have_value("")
    refusals.clear()  # the refused questions of the ended session


def test_a_form_that_is_sent_after_the_end_is_not_lost(
    sign_in: SignIn, web_env: BoardEnv, site: str, refusals: list[str]
) -> None:
    page = sign_in("eng", "/issues/new")
    page.get_by_label("제목").fill("절전 뒤에 보낸 제목")
    rest(web_env, minutes=31)  # the page's clock has slept
    page.get_by_role("button", name="접수").click()
    expect(page.get_by_text("로그인 시간이 끝나")).to_be_visible()
    finds_after_signing_in(page, site, "절전 뒤에 보낸 제목")
    page.get_by_role("button", name="접수").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("절전 뒤에 보낸 제목")
    page.goto(f"{site}/issues/new")
    expect(page.get_by_label("제목")).to_have_value("")
    refusals.clear()


def test_a_part_that_arrives_after_a_form_was_sent_takes_nothing_away(
    sign_in: SignIn, web_env: BoardEnv, site: str, refusals: list[str]
) -> None:
    page = sign_in("eng", "/issues/new")
    page.get_by_label("제목").fill("답을 기다리는 제목")
    rest(web_env, minutes=31)
    # As a part of the page that was asked for before the form was sent.
    swap = "document.dispatchEvent(new CustomEvent('htmx:afterSwap'))"
    page.evaluate(f"document.addEventListener('submit', () => setTimeout(() => {swap}))")
    page.get_by_role("button", name="접수").click()
    expect(page.get_by_text("로그인 시간이 끝나")).to_be_visible()
    finds_after_signing_in(page, site, "답을 기다리는 제목")
    refusals.clear()


def test_a_person_who_is_quicker_than_the_script_loses_nothing(
    sign_in: SignIn, web_env: BoardEnv, site: str, refusals: list[str]
) -> None:
    page = sign_in("eng", "/issues/new")
    page.get_by_label("제목").fill("스크립트보다 빠른 제목")
    rest(web_env, minutes=31)
    page.route("**/session*.js*", lambda route: route.abort())
    page.get_by_role("button", name="접수").click()
    expect(page.get_by_text("로그인 시간이 끝나")).to_be_visible()
    page.unroute_all()
    finds_after_signing_in(page, site, "스크립트보다 빠른 제목")
    refusals.clear()


def test_another_person_sees_nothing_of_what_was_typed(
    sign_in: SignIn, web_env: BoardEnv, site: str, tab: Page, refusals: list[str]
) -> None:
    tab.clock.install()
    page = sign_in("eng", "/issues/new")
    page.get_by_label("제목").fill("남의 글")
    rest(web_env, page, minutes=31)
    page.get_by_role("link", name="다시 로그인").click()
    sign_in_again(page, "lead")
    page.wait_for_url(f"{site}/issues/new")
    expect(page.get_by_label("제목")).to_have_value("")
    refusals.clear()
