from __future__ import annotations

from collections.abc import Callable

from cast import Cast
from pages import Browser, Story

from guardia.board.core import wakes
from guardia.board.core.wake_reasons import Reason
from guardia.board.runs import beats

Browse = Callable[[str], Browser]


def test_staff_see_why_agents_woke_and_customers_do_not(browse: Browse, board: Cast) -> None:
    lead = browse("lead")
    assert "실행 이력이 없습니다" in lead.see("/runs").text
    sr_id = Story(board).waiting().sr_id
    html = lead.see("/runs").text
    for shown in ("DB 전문가", "배정", f'href="/issues/{sr_id}"', "조직도", "작업 1"):
        assert shown in html, shown
    assert "디스패처" in lead.see("/runs?agent=dispatcher").text
    assert 'id="run-' not in lead.see("/runs?agent=nobody").text
    assert browse("cus").see("/runs").status_code == 403
    assert lead.see("/runs?before=-1").status_code == 422


def test_what_agents_wrote_is_only_text(browse: Browse, board: Cast) -> None:
    with board.desk.database.transaction() as session:
        cause = {"why": "<script>alert(1)</script>"}
        wakes.wake(session, "auditor", Reason.MANUAL, board.desk.clock(), cause=cause)
    beats.begin(board.desk, "auditor")
    assert "<script>alert" not in browse("lead").see("/runs").text
