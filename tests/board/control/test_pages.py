"""Tests of the kill switch page, the stop word and directives on the issue page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from board_env import LEAD, BoardEnv
from page_env import IssueScenario, PageClient

from guardia.board.approvals import decisions
from guardia.board.control import kill_switch as control_kill_switch
from guardia.board.control import kill_switch_view
from guardia.board.core import kill_switch
from guardia.board.core.lifecycle import State
from guardia.board.issues import view
from guardia.board.site.app import create_app
from guardia.settings import Settings

Browse = Callable[[str], PageClient]
BANNER = 'class="switch-on"'


@pytest.mark.slow
def test_staff_stop_everything_with_one_confirmed_button(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    browser = sign_in_as("eng")
    assert 'action="/kill"' in browser.get_page("/control").text
    assert browser.submit_form("/kill", "/control", reason="이상 동작").status_code == 303
    switch = kill_switch.active_kill_switch(web_env.board)
    assert switch is not None and switch.reason == "이상 동작"
    assert "김철수 대리 지시" in browser.get_page("/control").text
    for path in ("/issues", "/issues/new", "/control"):
        assert BANNER in browser.get_page(path).text
    assert BANNER in sign_in_as("cus").get_page("/issues").text
    assert "이상 동작" not in sign_in_as("cus").get_page("/issues").text


@pytest.mark.slow
def test_what_is_merely_approved_is_not_counted_as_running(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    decisions.decide(
        web_env.board, LEAD, scenario.claim.task_id, approve=True, plan_hash=scenario.plan_hash
    )
    found = kill_switch_view.switch_page(web_env.board, None)
    counts = (found.running.total, found.approved.total, found.waiting.total)
    assert counts == (0, 1, 0)
    html = sign_in_as("lead").get_page("/control").text
    assert "승인됨, 시작 전" in html and "실행 중인 작업 0건" in html
    scenario.start()
    found = kill_switch_view.switch_page(web_env.board, None)
    counts = (found.running.total, found.approved.total, found.waiting.total)
    assert counts == (1, 0, 0)


@pytest.mark.slow
def test_only_the_right_role_releases_it_with_a_reason(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    control_kill_switch.kill(web_env.board, LEAD, "점검")
    for account in ("eng", "lead"):
        browser = sign_in_as(account)
        assert 'action="/release"' not in browser.get_page("/control").text
        assert browser.submit_form("/release", "/issues/new", reason="해제").status_code == 403
    browser = sign_in_as("pm")
    assert browser.submit_form("/release", "/control", reason=" ").status_code == 422
    assert kill_switch.active_kill_switch(web_env.board) is not None
    assert browser.submit_form("/release", "/control", reason="확인함").status_code == 303
    assert BANNER not in browser.get_page("/issues").text


@pytest.mark.parametrize("path", ["/kill", "/release"])
def test_a_cross_site_form_does_not_activate_the_switch(
    sign_in_as: Browse, web_env: BoardEnv, path: str
) -> None:
    browser = sign_in_as("pm")
    assert browser.post(path, data={"reason": "x", "csrf": "0"}).status_code == 403
    assert kill_switch.active_kill_switch(web_env.board) is None


def test_customers_have_no_switch(sign_in_as: Browse, web_env: BoardEnv) -> None:
    browser = sign_in_as("cus")
    assert "/control" not in browser.get_page("/issues").text
    assert browser.submit_form("/kill", "/issues/new", reason="x").status_code == 403
    assert kill_switch.active_kill_switch(web_env.board) is None


@pytest.mark.slow
def test_a_directive_on_the_issue_page(sign_in_as: Browse, web_env: BoardEnv) -> None:
    claim = web_env.create_parsed_task()
    browser = sign_in_as("eng")
    page, orders = f"/issues/{claim.sr_id}", f"/issues/{claim.sr_id}/tasks/{claim.task_id}/orders"
    html = browser.get_page(page).text
    assert 'name="verb" value="abort"' in html and 'name="verb" value="rollback"' not in html
    # Nothing is chosen in advance, each directive says what it does, people come from a list.
    orders_form = html[html.index(f'action="{orders}"') :].split("</form>")[0]
    assert "checked" not in orders_form and " selected" not in orders_form
    assert "서버는 변경되지 않았습니다" in html
    assert '<option value="eng">김철수 대리</option>' in html
    assert browser.submit_form(orders, page, verb="manual", reason="직접").status_code == 303
    assert view.issue(web_env.board, claim.sr_id).state is State.MANUAL
    again = browser.submit_form(orders, page, verb="manual", reason="직접")
    assert again.status_code in (409, 422)
    elsewhere = f"/issues/{claim.sr_id}/tasks/999/orders"
    assert browser.submit_form(elsewhere, page, verb="abort").status_code == 404
    assert "orders-" not in sign_in_as("cus").get_page(page).text


def test_nobody_stops_without_the_rooms_token(web_env: BoardEnv, anonymous: PageClient) -> None:
    body = {"token": "t" * 26, "channel_name": "운영", "user_name": "kim", "post_id": "1"}
    closed = anonymous.post("/intake/mattermost", json={**body, "text": "정지"})
    assert closed.status_code == 401
    assert kill_switch.active_kill_switch(web_env.board) is None


@pytest.fixture
def open_intake(web_env: BoardEnv) -> Any:
    settings = Settings(messenger_token="t" * 26)  # type: ignore[arg-type]
    return PageClient(create_app(web_env.board, settings), raise_server_exceptions=False)


def test_the_stop_word_is_matched_before_anything_reads_the_line(
    open_intake: PageClient, web_env: BoardEnv
) -> None:
    sent = {"token": "t" * 26, "channel_name": "운영", "user_name": "kim"}

    def post(number: int, text: str) -> str:
        body = {**sent, "post_id": str(number), "text": text}
        return str(open_intake.post("/intake/mattermost", json=body).json()["text"])

    assert "SR-1" in post(1, "정지하지 마")
    assert "SR-2" in post(2, "정지된 서버가 있어요")
    assert kill_switch.active_kill_switch(web_env.board) is None
    assert "전체 정지했습니다" in post(3, " 긴급 정지!")
    assert kill_switch.active_kill_switch(web_env.board) is not None
    assert "이미" in post(3, " 긴급 정지!")
    assert "이미" in post(4, "정지")
