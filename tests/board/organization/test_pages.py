from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from cast import Cast
from pages import Browser, Story

from guardia.board.organization import agent_control
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import beats
from guardia.org import chart, edit

Browse = Callable[[str], Browser]
SHIPPED = chart.shipped().read_text("utf-8")


def test_the_tree_shows_who_does_what_and_who_rests(browse: Browse, board: Cast) -> None:
    sr_id = Story(board).receive().parse().sr_id
    agent_control.pause(board.desk, "sec-agent", "operator:test")
    lead = browse("lead")
    html = lead.see("/org").text
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
    assert browse("cus").see("/org").status_code == 403
    assert "ops-talk 대화방의 글은" in html and "디스크 용량 부족" in html and "스토리지" in html


def test_a_revision_shows_what_it_changed_and_its_text(browse: Browse, board: Cast) -> None:
    text = edit.set_field(edit.fire(SHIPPED, "sec-agent"), "db-agent", "title", "<b>도사</b>")
    text = text.replace("rooms: [ops-talk]", "rooms: []")
    text += "duties:\n  - {role: pm, institution: MOF, people: [ghost], substitutes: [pm]}\n"
    organization_chart.apply_chart(board.desk, text, "operator:test")
    officer = browse("officer")
    html = officer.see("/org/revisions/2").text
    assert "에이전트 삭제: sec-agent" in html and "<b>도사" not in html and "&lt;b&gt;도사" in html
    assert "에이전트 추가: auditor" in officer.see("/org/revisions/1").text
    assert officer.see("/org/revisions/9").status_code == 404
    page = officer.see("/org").text
    assert "ghost(계정 없음)" in page and "최현우 PM" in page
    assert "보안 전문가" not in page and "대화방이 없습니다" in page


def test_revisions_have_authors_and_outside_agents_their_kind(browse: Browse, board: Cast) -> None:
    text = edit.set_field(SHIPPED, "sec-agent", "adapter", {"kind": "process", "command": ["/a"]})
    organization_chart.apply_chart(board.desk, text, "person:pm")
    lead = browse("lead")
    for place in ("/org", "/org/revisions/2"):
        page = lead.see(place).text
        assert "최현우 PM" in page and "person:" not in page
    for place in ("/org", "/agents", "/agents/sec-agent"):
        assert "외부 프로그램" in lead.see(place).text


def test_the_last_look_is_a_waking_or_a_moment_without_work(browse: Browse, board: Cast) -> None:
    assert "최근 실행" not in browse("lead").see("/org").text
    beats.tick(board.desk, "was-agent", datetime(2030, 1, 2, 3, 4, tzinfo=UTC))
    assert "01-02 12:04" in browse("lead").see("/org").text


def test_the_history_goes_on_page_by_page(browse: Browse, board: Cast) -> None:
    for number in range(25):
        organization_chart.apply_chart(board.desk, f"{SHIPPED}# {number}\n", "operator:test")
    lead = browse("lead")
    first = lead.see("/org").text
    assert "조직도 개정 26" in first and "/org?before=7" in first
    assert "/org/revisions/1" in lead.see("/org?before=7").text
    assert lead.see("/org?before=x").status_code == 422
