"""The pages in a real browser. Every test also fails on a request elsewhere or a console error."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from board_env import LEAD, BoardEnv
from page_env import PASSWORD, IssueScenario, page_app, realistic_plan, serve_app
from playwright.sync_api import Browser, Page, expect
from waiting import PATIENCE, wait_until

from guardia.board.approvals import decisions
from guardia.board.core.actors import Actor
from guardia.board.issues import comments

pytestmark = pytest.mark.browser

SignIn = Callable[..., Page]
WIDTHS = {"wide": 1440, "phone": 390}


def approved(web_env: BoardEnv, **more: str) -> IssueScenario:
    scenario = IssueScenario(web_env).waiting(**more)
    decisions.decide(
        web_env.board, LEAD, scenario.claim.task_id, approve=True, plan_hash=scenario.plan_hash
    )
    return scenario


@pytest.mark.slow
def test_the_lead_finds_reads_approves_and_watches(sign_in: SignIn, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    page = sign_in("lead")
    expect(page.get_by_role("heading", name=re.compile("내 결재 대기"))).to_be_visible()
    page.get_by_role("table").get_by_role("link", name=re.compile("운영DB 쿼리")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("기재부 운영DB 쿼리가 너무 느려요")
    expect(page.get_by_role("button", name="승인")).to_be_in_viewport()
    page.get_by_label("의견", exact=True).fill("영향 범위를 확인했습니다.")
    page.get_by_role("button", name="승인").click()
    expect(page.locator(".badges .status")).to_have_text("승인됨")
    expect(page.get_by_role("button", name="승인")).to_have_count(0)
    expect(page.locator(".live.on").first).to_be_visible()
    timeline = page.locator("#timeline .line")
    before = timeline.count()
    page.evaluate("window.same = true")
    # From here on the page must update by itself.
    scenario.start()
    expect(page.locator(".badges .status")).to_have_text("조치 중")
    expect(page.locator(".badges .status")).to_have_class(re.compile("bg-light-warning"))
    scenario.complete()
    expect(page.locator(".badges .status")).to_have_text("완료")
    expect(page.locator(".outcome .ending")).to_contain_text("조치를 완료하고")
    # started, two commands, each with its result, completed
    expect(timeline).to_have_count(before + 4)
    expect(timeline.last).to_contain_text("완료:")
    assert page.evaluate("window.same") is True
    entries = page.locator("#timeline [id^=entry-]")
    numbers = entries.evaluate_all("found => found.map(e => Number(e.id.slice(6)))")
    assert len(numbers) > before and numbers == sorted(set(numbers))


@pytest.mark.slow
def test_typed_text_and_open_details_survive_live_updates(
    sign_in: SignIn, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    page = sign_in("lead", f"/issues/{scenario.sr_id}")
    expect(page.locator(".live.on").first).to_be_visible()
    page.get_by_text("명령과 원본 출력").first.click()
    # The raw output is fetched when it is opened.
    expect(page.locator("#output-1 pre").first).to_contain_text("pg_locks")
    page.locator(".evidence > li > details > summary").first.click()
    reason = page.get_by_label("의견", exact=True)
    reason.fill("쓰는 중인 의")
    page.get_by_label("의견 작성").fill("쓰는 중인 댓글")
    reason.focus()
    # A second read updates the part of the page that contains all of that.
    scenario.diagnose({"waiting": 3})
    comments.add_comment(web_env.board, scenario.sr_id, Actor.person("eng"), "먼저 봤습니다")
    expect(page.locator(".work .evidence > li")).to_have_count(2)
    expect(reason).to_have_value("쓰는 중인 의")
    expect(reason).to_be_focused()
    expect(page.get_by_label("의견 작성")).to_have_value("쓰는 중인 댓글")
    expect(page.locator(".evidence > li > details").first).not_to_have_attribute("open", "")
    assert page.locator("#output-1").evaluate("d => d.open") is True
    # News of the conversation waits until the reader asks for it.
    news, comment = page.get_by_role("button", name="새 소식"), page.get_by_text("먼저 봤습니다")

    def shown() -> bool:
        if news.is_visible():
            news.click()
        return comment.first.is_visible()

    assert wait_until(shown)
    expect(page.get_by_label("의견 작성")).to_have_value("쓰는 중인 댓글")


@pytest.mark.slow
def test_the_list_updates_without_moving_the_reader(sign_in: SignIn, web_env: BoardEnv) -> None:
    for number in range(25):
        web_env.create_issue(text=f"요청 {number}")
    page = sign_in("eng")
    expect(page.locator(".live.on")).to_be_visible()
    page.set_viewport_size({"width": 1440, "height": 500})
    page.evaluate("window.scrollTo(0, 400)")
    page.locator("#sr-20").focus()
    place = "e => e.getBoundingClientRect().top"
    top = page.locator("#sr-20").evaluate(place)
    web_env.create_issue(text="방금 들어온 요청")
    expect(page.get_by_text("방금 들어온 요청")).to_be_attached()
    # A row was added above; what they read stays where it is on the screen.
    assert abs(page.locator("#sr-20").evaluate(place) - top) < 2
    expect(page.locator("#sr-20")).to_be_focused()


@pytest.mark.slow
def test_a_customer_files_a_request_and_sees_only_its_progress(
    sign_in: SignIn, web_env: BoardEnv
) -> None:
    page = sign_in("cus")
    page.get_by_role("link", name="새 요청").first.click()
    page.get_by_label("제목").fill("운영DB 조회가 느립니다")
    page.get_by_role("button", name="접수").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("운영DB 조회가 느립니다")
    expect(page.locator("#timeline")).to_contain_text("요청을 접수했습니다")
    expect(page.locator(".live.on").first).to_be_visible()
    scenario = IssueScenario(web_env, sr_id=1).parse().diagnose().file()
    expect(page.locator("#timeline")).to_contain_text("조치 계획을 제출하여")
    expect(page.locator(".badges .status")).to_have_text("승인 대기")
    assert scenario.plan_hash[:12] not in page.content()
    expect(page.get_by_text("조치 계획", exact=True)).to_have_count(0)


@pytest.mark.slow
def test_a_decision_can_be_made_by_keyboard(sign_in: SignIn, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    page = sign_in("lead", f"/issues/{scenario.sr_id}")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="본문으로 건너뛰기")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.get_by_label("의견", exact=True).focus()
    page.keyboard.press("Tab")
    expect(page.locator(".after-rejection summary")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="승인")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".badges .status")).to_have_text("승인됨")


@pytest.mark.slow
def test_a_page_survives_a_restart_of_the_board(browser: Browser, web_env: BoardEnv) -> None:
    # Not the watched context: an unreachable server is a console error.
    web_env.create_issue()
    page = browser.new_page(locale="ko-KR")
    page.set_default_timeout(PATIENCE * 1000)
    with serve_app(page_app(web_env.board)) as site:
        page.goto(f"{site}/issues/1")
        page.get_by_label("아이디").fill("eng")
        page.get_by_label("비밀번호").fill(PASSWORD)
        page.get_by_role("button", name="로그인").click()
        mark = page.locator(".live").first
        expect(mark).to_have_text("실시간")
    expect(mark).to_have_text(re.compile("연결이 끊겨"))
    comments.add_comment(web_env.board, 1, Actor.person("eng"), "꺼져 있는 사이")
    with serve_app(page_app(web_env.board), port=int(site.rpartition(":")[2])):
        expect(mark).to_have_text("실시간")
        expect(page.get_by_text("꺼져 있는 사이").first).to_be_visible()
        page.close()


@pytest.mark.slow
def test_hidden_tabs_pause_and_catch_up(sign_in: SignIn, web_env: BoardEnv) -> None:
    web_env.create_issue()
    page = sign_in("eng", "/issues/1")
    expect(page.locator(".live.on").first).to_be_visible()
    hide = """on => {
        Object.defineProperty(document, 'hidden', {value: on, configurable: true});
        document.dispatchEvent(new Event('visibilitychange'));
    }"""
    page.evaluate(hide, True)
    comments.add_comment(web_env.board, 1, Actor.person("eng"), "자리를 비운 사이")
    page.wait_for_timeout(700)
    expect(page.get_by_text("자리를 비운 사이")).to_have_count(0)
    page.evaluate(hide, False)
    expect(page.get_by_text("자리를 비운 사이").first).to_be_visible()


@pytest.mark.slow
def test_the_api_page_needs_nothing_from_elsewhere(tab: Page, site: str) -> None:
    tab.goto(f"{site}/docs")
    expect(tab.get_by_text("/intake/mattermost", exact=True)).to_be_visible()


def fits(page: Page) -> bool:
    """Return whether nothing is wider than the window."""
    return bool(
        page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        )
    )


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_its_window(
    sign_in: SignIn, site: str, web_env: BoardEnv, width: str
) -> None:
    """At both widths; GUARDIA_SHOTS names a folder for screenshots."""
    unbroken = "/var/log/" + "a" * 200
    waiting = IssueScenario(web_env, plan=realistic_plan("DEPLOY_SECURE")).waiting(text=unbroken)
    waiting.diagnose({"files": [{"path": unbroken, "bytes": 10**12}]}, unbroken)
    done = approved(web_env)
    done.start().diagnose({"waiting": 0}).complete()
    failed = approved(web_env)
    failed.start().fail()
    comments.add_comment(
        web_env.board, done.sr_id, Actor.person("eng"), f"`{unbroken}`\n\n    {unbroken}"
    )
    page = sign_in("lead")
    page.set_viewport_size({"width": WIDTHS[width], "height": 900})
    folder = os.environ.get("GUARDIA_SHOTS")
    addresses = {
        "login": "/login",
        "list": "/issues?state=all",
        "list-empty": "/issues?q=없는말",
        "new": "/issues/new",
        "issue-waiting": f"/issues/{waiting.sr_id}",
        "issue-completed": f"/issues/{done.sr_id}",
        "issue-failed": f"/issues/{failed.sr_id}",
        "english-list": "/issues?lang=en&state=all",
        "english-issue": f"/issues/{waiting.sr_id}",
    }
    for name, path in addresses.items():
        page.goto(f"{site}{path}")
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        assert fits(page), (name, width)
        if folder:
            page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)
