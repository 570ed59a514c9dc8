"""The search in documents in a real browser, at both widths, with a keyboard."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from board_env import BoardEnv
from playwright.sync_api import Page, expect
from search_env import BACKUP, CERTIFICATE, DISK, publish, searching

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SignIn = Callable[..., Page]
TABLE = "| 구분 | 보존 기간 |\n| --- | --- |\n| 접속 기록 | 2년 |\n| 시스템 로그 | 1년 |"


@pytest.fixture
def served(web_env: BoardEnv, tmp_path: Path) -> Iterator[BoardEnv]:
    for title, text in (CERTIFICATE, DISK, BACKUP, ("로그 보존 기간", TABLE)):
        publish(web_env, title, text)
    with searching(web_env, tmp_path):
        yield web_env


@pytest.mark.parametrize("width", [1440, 390])
def test_a_question_is_answered_with_quotes_or_sent_to_people(
    sign_in: SignIn, served: BoardEnv, width: int
) -> None:
    page = sign_in("lead", "/search/documents")
    page.set_viewport_size({"width": width, "height": 900})
    _shoot(page, f"search-empty-{width}")
    line = page.get_by_role("searchbox")
    line.press_sequentially("인증서 새로 발급받아서 올리는 절차")
    line.press("Enter")
    first = page.locator(".found-passages > li").first
    expect(first.get_by_role("link", name="인증서 갱신 절차")).to_be_visible()
    expect(first.locator("mark").first).to_contain_text("새 인증서를 발급받아")
    _shoot(page, f"search-found-{width}")
    first.get_by_role("button", name="도움됨").click()
    expect(first.get_by_role("status")).to_have_text("의견을 기록했습니다.")
    first.get_by_role("link", name="인증서 갱신 절차").click()
    page.wait_for_url("**/documents/1?version=1&start=1#p1")
    page.goto(page.url.replace("start=1", "rate=1"))
    page.get_by_label("무엇이 틀렸습니까?").fill("명령의 옵션이 다릅니다")
    _shoot(page, f"rating-{width}")
    page.get_by_role("button", name="틀린 내용 알리기").click()
    expect(page.get_by_role("main").get_by_role("status")).to_have_text("의견을 기록했습니다.")
    expect(page.get_by_role("region", name="갱신 필요")).to_contain_text("명령의 옵션이 다릅니다")
    _shoot(page, f"rated-{width}")
    page.goto(page.url.partition("/documents")[0] + "/search/documents?q=인증서")
    page.get_by_role("searchbox").fill("점심 메뉴 추천해 주세요")
    page.get_by_role("button", name="찾기").click()
    expect(page.get_by_text("맞는 문서를 찾지 못했습니다.")).to_be_visible()
    _shoot(page, f"search-nothing-{width}")
    page.emulate_media(color_scheme="dark")
    _shoot(page, f"search-dark-{width}")
    fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert page.evaluate(fits)


def test_without_a_worker_the_words_are_kept(sign_in: SignIn, web_env: BoardEnv) -> None:
    page = sign_in("lead", "/search/documents")
    page.goto(f"{page.url}?q=디스크")
    expect(page.get_by_role("alert")).to_contain_text("작업자가 없습니다")
    expect(page.get_by_role("searchbox")).to_have_value("디스크")
    _shoot(page, "search-unserved")


def _shoot(page: Page, name: str) -> None:
    folder = os.environ.get("GUARDIA_SHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("width", [1440, 390])
def test_the_side_panel_shows_what_is_related(
    sign_in: SignIn, served: BoardEnv, width: int
) -> None:
    served.create_issue(text="홈페이지 인증서 갱신 요청")
    with psycopg.connect(served.dsn) as connection:
        connection.execute("update tb_sr_request set closed_at = now(), inst_id = 'MOF'")
    mine = served.create_issue(text="웹서버 인증서 갱신 절차를 알려 주세요")
    page = sign_in("lead", f"/issues/{mine}")
    page.set_viewport_size({"width": width, "height": 900})
    page.reload()
    if width < 1025:
        page.locator(".side-fold > summary").click()
    documents = page.get_by_role("region", name="관련 문서")
    expect(documents.get_by_role("link")).to_have_text("인증서 갱신 절차")
    issues = page.get_by_role("region", name="비슷한 지난 이슈")
    expect(issues.get_by_role("listitem")).to_contain_text("홈페이지 인증서 갱신 요청")
    documents.scroll_into_view_if_needed()
    _shoot(page, f"related-{width}")
    documents.get_by_role("link").click()
    page.wait_for_url("**/documents/1?version=1&start=1#p1")
