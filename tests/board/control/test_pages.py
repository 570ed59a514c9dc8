from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from board_env import LEAD, BoardEnv
from page_env import PageClient

from guardia.board.control import kill_switch as control_kill_switch
from guardia.board.core import kill_switch
from guardia.board.core.lifecycle import State
from guardia.board.execution import view
from guardia.board.site.app import create_app
from guardia.settings import Settings

Browse = Callable[[str], PageClient]
BANNER = 'class="switch-on"'


def test_staff_stop_everything_with_one_confirmed_button(browse: Browse, board: BoardEnv) -> None:
    browser = browse("eng")
    assert 'action="/kill"' in browser.see("/control").text
    assert browser.fill("/kill", "/control", reason="이상 동작").status_code == 303
    switch = kill_switch.active_kill_switch(board.desk)
    assert switch is not None and switch.reason == "이상 동작"
    assert "김철수 대리 지시" in browser.see("/control").text
    for path in ("/issues", "/issues/new", "/control"):
        assert BANNER in browser.see(path).text
    assert BANNER in browse("cus").see("/issues").text
    assert "이상 동작" not in browse("cus").see("/issues").text


def test_only_the_right_role_lifts_it_with_a_reason(browse: Browse, board: BoardEnv) -> None:
    control_kill_switch.kill(board.desk, LEAD, "점검")
    for account in ("eng", "lead"):
        browser = browse(account)
        assert 'action="/release"' not in browser.see("/control").text
        assert browser.fill("/release", "/issues/new", reason="해제").status_code == 403
    browser = browse("pm")
    assert browser.fill("/release", "/control", reason=" ").status_code == 422
    assert kill_switch.active_kill_switch(board.desk) is not None
    assert browser.fill("/release", "/control", reason="확인함").status_code == 303
    assert BANNER not in browser.see("/issues").text


@pytest.mark.parametrize("path", ["/kill", "/release"])
def test_a_form_of_another_site_turns_nothing(browse: Browse, board: BoardEnv, path: str) -> None:
    browser = browse("pm")
    assert browser.post(path, data={"reason": "x", "csrf": "0"}).status_code == 403
    assert kill_switch.active_kill_switch(board.desk) is None


def test_customers_have_no_switch(browse: Browse, board: BoardEnv) -> None:
    browser = browse("cus")
    assert "/control" not in browser.see("/issues").text
    assert browser.fill("/kill", "/issues/new", reason="x").status_code == 403
    assert kill_switch.active_kill_switch(board.desk) is None


def test_an_order_on_the_issue_page(browse: Browse, board: BoardEnv) -> None:
    hold = board.parsed()
    browser = browse("eng")
    page, orders = f"/issues/{hold.sr_id}", f"/issues/{hold.sr_id}/tasks/{hold.task_id}/orders"
    html = browser.see(page).text
    assert '<option value="abort">' in html and '<option value="rollback">' not in html
    assert browser.fill(orders, page, verb="manual", reason="직접").status_code == 303
    assert view.issue(board.desk, hold.sr_id).state is State.MANUAL
    again = browser.fill(orders, page, verb="manual", reason="직접")
    assert again.status_code in (409, 422)
    elsewhere = f"/issues/{hold.sr_id}/tasks/999/orders"
    assert browser.fill(elsewhere, page, verb="abort").status_code == 404
    assert "orders-" not in browse("cus").see(page).text


def test_nobody_stops_without_the_rooms_token(board: BoardEnv, anyone: PageClient) -> None:
    body = {"token": "t" * 26, "channel_name": "운영", "user_name": "kim", "post_id": "1"}
    closed = anyone.post("/intake/mattermost", json={**body, "text": "정지"})
    assert closed.status_code == 401
    assert kill_switch.active_kill_switch(board.desk) is None


@pytest.fixture
def open_intake(board: BoardEnv) -> Any:
    settings = Settings(messenger_token="t" * 26)  # type: ignore[arg-type]
    return PageClient(create_app(board.desk, settings), raise_server_exceptions=False)


def test_the_stop_word_is_matched_before_anything_reads_the_line(
    open_intake: PageClient, board: BoardEnv
) -> None:
    sent = {"token": "t" * 26, "channel_name": "운영", "user_name": "kim"}

    def post(number: int, text: str) -> str:
        body = {**sent, "post_id": str(number), "text": text}
        return str(open_intake.post("/intake/mattermost", json=body).json()["text"])

    assert "SR-1" in post(1, "정지하지 마")
    assert "SR-2" in post(2, "정지된 서버가 있어요")
    assert kill_switch.active_kill_switch(board.desk) is None
    assert "전체 정지했습니다" in post(3, " 긴급 정지!")
    assert kill_switch.active_kill_switch(board.desk) is not None
    assert "이미" in post(3, " 긴급 정지!")
    assert "이미" in post(4, "정지")
