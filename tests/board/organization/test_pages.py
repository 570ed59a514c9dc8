from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from board_env import BoardEnv
from page_env import IssueScenario, PageClient

from guardia.board.core.actors import Actor
from guardia.board.organization import agent_control
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import ticks
from guardia.org import chart, chart_edit

Browse = Callable[[str], PageClient]
SHIPPED = chart.shipped_chart_path().read_text("utf-8")


@pytest.mark.slow
def test_the_tree_shows_current_work_and_paused_agents(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    sr_id = IssueScenario(web_env).receive().parse().sr_id
    agent_control.pause(web_env.board, "sec-agent", Actor.operator("test"))
    lead = sign_in_as("lead")
    html = lead.get_page("/org").text
    for shown in (
        f"SR-{sr_id} 처리 중",
        "일시 중지",
        "GUARDiA 운영센터",
        "정다은 팀장",
        "조직도 개정 1",
    ):
        assert shown in html, shown
    assert html.index("디스패처") < html.index("DB 전문가")
    live = lead.get("/org", headers={"hx-request": "true", "accept": "text/html"}).text
    assert 'id="part-org"' in live and "<html" not in live
    assert sign_in_as("cus").get_page("/org").status_code == 403
    assert "ops-talk 대화방의 글은" in html and "디스크 용량 부족" in html and "스토리지" in html


@pytest.mark.slow
def test_a_revision_shows_what_it_changed_and_its_text(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    text = chart_edit.set_field(
        chart_edit.fire(SHIPPED, "sec-agent"), "db-agent", "title", "<b>도사</b>"
    )
    text = text.replace("rooms: [ops-talk]", "rooms: []")
    text += "duties:\n  - {role: pm, institution: MOF, people: [ghost], substitutes: [pm]}\n"
    organization_chart.apply_chart(web_env.board, text, Actor.operator("test"))
    officer = sign_in_as("officer")
    html = officer.get_page("/org/revisions/2").text
    assert "에이전트 삭제: sec-agent" in html and "<b>도사" not in html and "&lt;b&gt;도사" in html
    assert "에이전트 추가: auditor" in officer.get_page("/org/revisions/1").text
    assert officer.get_page("/org/revisions/9").status_code == 404
    page = officer.get_page("/org").text
    assert "ghost(계정 없음)" in page and "최현우 PM" in page
    assert "보안 전문가" not in page and "대화방이 없습니다" in page


@pytest.mark.slow
def test_revisions_have_authors_and_external_agents_their_kind(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    text = chart_edit.set_field(
        SHIPPED, "sec-agent", "adapter", {"kind": "process", "command": ["/a"]}
    )
    organization_chart.apply_chart(web_env.board, text, Actor.person("pm"))
    lead = sign_in_as("lead")
    for place in ("/org", "/org/revisions/2"):
        page = lead.get_page(place).text
        assert "최현우 PM" in page and "person:" not in page
    for place in ("/org", "/agents", "/agents/sec-agent"):
        assert "외부 프로그램" in lead.get_page(place).text


@pytest.mark.slow
def test_the_last_beat_is_a_run_or_a_tick_without_work(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    assert "최근 실행" not in sign_in_as("lead").get_page("/org").text
    ticks.tick(web_env.board, "was-agent", datetime(2030, 1, 2, 3, 4, tzinfo=UTC))
    assert "01-02 12:04" in sign_in_as("lead").get_page("/org").text


@pytest.mark.slow
def test_the_history_has_pages(sign_in_as: Browse, web_env: BoardEnv) -> None:
    for number in range(25):
        organization_chart.apply_chart(
            web_env.board, f"{SHIPPED}# {number}\n", Actor.operator("test")
        )
    lead = sign_in_as("lead")
    first = lead.get_page("/org").text
    assert "조직도 개정 26" in first and "/org?before=7" in first
    assert "/org/revisions/1" in lead.get_page("/org?before=7").text
    assert lead.get_page("/org?before=x").status_code == 422
