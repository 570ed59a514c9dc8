from __future__ import annotations

from collections.abc import Callable

import pytest
from board_env import BoardEnv
from page_env import IssueScenario, PageClient

from guardia.board.core import wakes
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.runs import beats

Browse = Callable[[str], PageClient]


@pytest.mark.slow
def test_staff_see_why_agents_woke_and_customers_do_not(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    lead = sign_in_as("lead")
    assert "실행 이력이 없습니다" in lead.get_page("/runs").text
    sr_id = IssueScenario(web_env).waiting().sr_id
    html = lead.get_page("/runs").text
    for shown in ("DB 전문가", "배정", f'href="/issues/{sr_id}"', "조직도", "작업 1"):
        assert shown in html, shown
    assert "디스패처" in lead.get_page("/runs?agent=dispatcher").text
    assert 'id="run-' not in lead.get_page("/runs?agent=nobody").text
    assert sign_in_as("cus").get_page("/runs").status_code == 403
    assert lead.get_page("/runs?before=-1").status_code == 422


def test_texts_of_agents_are_shown_as_text(sign_in_as: Browse, web_env: BoardEnv) -> None:
    with web_env.board.database.transaction() as session:
        cause = {"why": "<script>alert(1)</script>"}
        wakes.wake(session, "auditor", WakeReason.MANUAL, web_env.board.clock(), cause=cause)
    beats.begin(web_env.board, "auditor")
    assert "<script>alert" not in sign_in_as("lead").get_page("/runs").text
