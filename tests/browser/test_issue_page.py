"""The page of an issue in a browser: changed in place, and nothing that was typed is lost."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from board_env import ENGINEER, LEAD, BoardEnv
from page_env import IssueScenario
from playwright.sync_api import Page, expect

from guardia.board.core.actors import Actor
from guardia.board.issues import comments, labels

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SignIn = Callable[..., Page]


def test_fields_are_edited_without_leaving_the_page(sign_in: SignIn, web_env: BoardEnv) -> None:
    sr_id = IssueScenario(web_env).waiting().sr_id
    labels.create(web_env.board, LEAD, "긴급점검", "b60205")
    page = sign_in("eng", f"/issues/{sr_id}")
    page.evaluate("window.same = true")
    panel = page.locator("#part-facts")
    panel.get_by_role("link", name="라벨 수정").click()
    page.get_by_label("긴급점검").check()
    page.locator("#field-editor").get_by_role("button", name="저장").click()
    expect(panel.locator(".label")).to_have_text("긴급점검")
    expect(page.locator("#field-editor form")).to_have_count(0)
    panel.get_by_role("link", name="상위 이슈 수정").click()
    page.locator("#edit-parent").fill(f"#{sr_id}")
    page.locator("#field-editor").get_by_role("button", name="저장").click()
    expect(page.locator("#field-editor [role=alert]")).to_contain_text("하위 이슈를")
    page.locator("#field-editor").get_by_role("link", name="취소").click()
    expect(page.locator("#field-editor form")).to_have_count(0)
    page.locator("#part-request").get_by_role("link", name="수정").click()
    page.locator("#edit-title").fill("예산 DB가 느립니다")
    page.locator("#text-editor").get_by_role("button", name="저장").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("예산 DB가 느립니다")
    assert page.evaluate("window.same") is True


@pytest.fixture
def refusals() -> list[str]:
    """Refusals are shown as errors in the console: these tests provoke some."""

    class Ignored(list[str]):
        def append(self, text: str) -> None:
            if "409" not in text:
                super().append(text)

    return Ignored()


def test_what_is_typed_outlives_a_reload_and_is_forgotten_once_sent(
    sign_in: SignIn, web_env: BoardEnv, refusals: list[str]
) -> None:
    sr_id = web_env.create_issue(institution="MOF")
    page = sign_in("eng", f"/issues/{sr_id}")
    field = page.locator("#comment")
    field.fill("쓰던 글 ")
    page.reload()
    expect(field).to_have_value("쓰던 글 ")
    # A session that ends while one types leads to the sign-in page, and the draft stays.
    page.context.clear_cookies()
    page.get_by_role("button", name="의견 등록").click()
    page.goto(page.url.split("/issues")[0].split("/login")[0] + "/login")
    page = sign_in("eng", f"/issues/{sr_id}")
    expect(field).to_have_value("쓰던 글 ")
    refusals.clear()  # the form and the stream of the ended session
    field.press("End")
    field.press_sequentially("@김철")
    expect(page.locator("#completion [role=option]")).to_have_text(re.compile("김철수 대리"))
    field.press("Enter")
    expect(field).to_have_value("쓰던 글 @김철수 ")
    page.get_by_role("button", name="미리보기").click()
    expect(page.locator("[data-shown]")).to_contain_text("@김철수")
    page.get_by_role("button", name="작성").click()
    page.get_by_role("button", name="의견 등록").click()
    expect(page.locator("#timeline .comment .prose")).to_have_text("쓰던 글 @김철수")
    expect(field).to_have_value("")
    page.reload()
    expect(field).to_have_value("")


def test_news_waits_while_a_person_writes(sign_in: SignIn, web_env: BoardEnv) -> None:
    sr_id = web_env.create_issue(institution="MOF")
    comments.add_comment(web_env.board, sr_id, Actor.of(LEAD), "첫 의견\n둘째 줄")
    page = sign_in("eng", f"/issues/{sr_id}")
    expect(page.locator(".live.on").first).to_be_visible()
    page.get_by_role("button", name="인용").click()
    expect(page.locator("#comment")).to_have_value("> 첫 의견\n> 둘째 줄\n\n")
    for text in ("둘째 의견", "셋째 의견"):
        comments.add_comment(web_env.board, sr_id, Actor.of(ENGINEER), text)
    bar = page.get_by_role("button", name="새 소식 2건 보기")
    expect(bar).to_be_visible()
    expect(page.get_by_text("둘째 의견")).to_have_count(0)
    bar.click()
    expect(page.get_by_text("셋째 의견")).to_be_visible()
    expect(page.locator("#comment")).to_have_value("> 첫 의견\n> 둘째 줄\n\n")
    # At the end of the page, and with nothing typed, it is shown at once again.
    page.locator("#comment").fill("")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    comments.add_comment(web_env.board, sr_id, Actor.of(ENGINEER), "넷째 의견")
    expect(page.get_by_text("넷째 의견")).to_be_visible()
