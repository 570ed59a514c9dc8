"""Tests of the timeline: folding, pages with true counts, views and permalinks."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, BoardEnv
from page_env import IssueScenario, PageClient
from sqlalchemy import text

from guardia.board.core.actors import Actor
from guardia.board.core.plan import ToolCall
from guardia.board.execution import commands, grants
from guardia.board.execution.commands import CommandResult
from guardia.board.issues import comments
from guardia.board.tracker import issue_page, timeline_lines
from guardia.board.tracker.timeline import Timeline, TimelineQuery
from guardia.board.tracker.timeline_lines import (
    CommandGroup,
    CommandLine,
    CommentItem,
    CommentLine,
    EntryItem,
    EntryLine,
    Item,
    Result,
)

Browse = Callable[[str], PageClient]
START = datetime(2026, 11, 30, 1, tzinfo=UTC)


def read(number: int, tool: str = "database.locks", *, ok: bool = True, **more: Any) -> EntryItem:
    at = START + timedelta(seconds=number)
    words = {"tool": tool, "phase": "read", "server": "MOF-DB-01", "actor": "agent:db-agent"}
    return EntryItem(number, at, "intent", **{**words, **more}, result=Result(ok, 5, at))


def comment(number: int, body: str, actor: str = "agent:db-agent") -> CommentItem:
    return CommentItem(number, START + timedelta(seconds=number), actor, body, len(body))


def test_repeated_polls_are_one_line_and_reads_in_a_row_one_group() -> None:
    items: list[Item] = [read(n) for n in range(1, 11)]
    items += [read(n, "database.activity", ok=n != 12) for n in range(11, 14)]
    (group,) = timeline_lines.fold(items)
    assert isinstance(group, CommandGroup)
    assert (group.total, group.failed, group.running) == (13, 1, 0)
    assert [(c.entry.tool, c.times, c.state) for c in group.commands] == [
        ("database.locks", 10, "ok"),
        ("database.activity", 1, "ok"),
        ("database.activity", 1, "failed"),
        ("database.activity", 1, "ok"),
    ]
    assert group.first == items[0].key


def test_changes_are_never_folded_into_reads() -> None:
    items = [read(1), read(2), read(3, phase="do"), read(4), read(5), read(6, phase="undo")]
    lines = timeline_lines.fold(items)
    assert [line.entry.phase for line in lines if isinstance(line, CommandLine)] == [
        "read", "do", "read", "undo",
    ]  # fmt: skip


def test_a_comment_that_repeats_the_next_entry_is_part_of_it() -> None:
    triage = EntryItem(
        2,
        START + timedelta(seconds=2),
        "parsed",
        "agent:dispatcher",
        "분류",
        reasons=["하나", "둘"],
    )
    said = comment(1, "분류했습니다.\n- 하나\n- 둘", "agent:dispatcher")
    (line,) = timeline_lines.fold([said, triage])
    assert isinstance(line, EntryLine)
    assert (line.details, line.first) == (("하나", "둘"), said.key)
    end = EntryItem(
        4, START + timedelta(seconds=4), "completed", "agent:db-agent", "완료", closing_text="끝"
    )
    assert len(timeline_lines.fold([comment(3, "끝"), end])) == 1
    # Other words, and other people's words, stay.
    assert len(timeline_lines.fold([comment(3, "끝!"), end])) == 2
    assert len(timeline_lines.fold([comment(3, "끝", "person:eng"), end])) == 2


def talk(env: BoardEnv, sr_id: int, count: int) -> None:
    """Write comments into the table."""
    with env.board.database.transaction() as session:
        session.execute(
            text(
                "insert into tb_comment (sr_id, author, body, created_at) "
                "select :sr, 'person:eng', '의견 ' || n, now() + n * interval '1 second' "
                "from generate_series(1, :count) n"
            ),
            {"sr": sr_id, "count": count},
        )


def bodies(page: Timeline) -> list[str]:
    lines = [line for day in page.days for line in day.lines]
    return [line.comment.text for line in lines if isinstance(line, CommentLine)]


def test_pages_of_a_long_timeline_count_and_show_everything_once(web_env: BoardEnv) -> None:
    sr_id = web_env.create_issue()
    talk(web_env, sr_id, 100)
    query, seen, older = TimelineQuery("talk"), [], 101
    while older:
        page = issue_page.get_issue(web_env.board, ENGINEER, sr_id, query).timeline
        assert page.counts["talk"] == 101
        found = bodies(page)
        seen = found + seen
        assert older - page.older == len([line for day in page.days for line in day.lines])
        query, older = TimelineQuery("talk", before=page.cursor), page.older
    assert seen == [f"의견 {n}" for n in range(1, 101)]


@pytest.mark.slow
def test_a_permalink_leads_to_the_page_with_its_place(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    sr_id = web_env.create_issue()
    talk(web_env, sr_id, 100)
    browser = sign_in_as("eng")
    html = browser.get_page(f"/issues/{sr_id}?at=comment-30").text
    assert 'id="comment-30"' in html and 'id="comment-31"' not in html
    assert "최신 이력 보기" in html and "이전 1건 더 보기" in html
    # A place of another issue, or none at all, is the newest page.
    other = web_env.create_issue()
    assert "최신 이력 보기" not in browser.get_page(f"/issues/{other}?at=comment-30").text
    assert "의견 30" not in browser.get_page(f"/issues/{other}?at=comment-30").text


@pytest.mark.parametrize(
    "query", ["show=x", "before=x", "before=9-9-9", "at=entry-x", "before=1-0"]
)
@pytest.mark.slow
def test_a_strange_address_is_refused_or_shows_the_newest_page(
    sign_in_as: Browse, web_env: BoardEnv, query: str
) -> None:
    sr_id = web_env.create_issue()
    answer = sign_in_as("eng").get_page(f"/issues/{sr_id}?{query}")
    assert answer.status_code == (422 if query.startswith("show") else 200)


@pytest.mark.slow
def test_views_show_only_their_kinds(web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    comments.add_comment(web_env.board, scenario.sr_id, Actor.person("eng"), "확인")

    def view(show: Any, viewer: Any = LEAD) -> Timeline:
        query = TimelineQuery(show)
        return issue_page.get_issue(web_env.board, viewer, scenario.sr_id, query).timeline

    counts = view("all").counts
    assert counts == {"all": 6, "decisions": 1, "talk": 3, "commands": 1}
    for show, count in counts.items():
        assert sum(len(day.lines) for day in view(show).days) == count
    # Customers get no commands, whatever they ask for.
    assert not view("commands", CUSTOMER).days
    assert view("talk", CUSTOMER).counts["commands"] == 0


def many_commands(env: BoardEnv, count: int) -> IssueScenario:
    scenario = IssueScenario(env).receive().parse()
    grant = grants.grant_reads(env.board, scenario.claim)
    for n in range(count):
        call = ToolCall(tool="database.locks", args={"service": "budgetdb"})
        intent = commands.record_intent(env.board, grant, call, "psql")
        result = CommandResult(True, {"waiting": n}, "출력 " * 500, 5)
        commands.record_result(env.board, intent, result)
    return scenario


@pytest.mark.slow
def test_evidence_is_counted_and_paged_and_outputs_are_read_when_opened(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = many_commands(web_env, 30)
    browser, at = sign_in_as("eng"), f"/issues/{scenario.sr_id}"
    html = browser.get_page(at).text
    assert "전체 30건 보기" in html and "출력 출력" not in html
    first = browser.get_page(f"{at}/evidence").text
    assert first.count('class="tool"') == 20
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    assert browser.get_page(older[1]).text.count('class="tool"') == 10
    assert "출력 출력" in browser.get_page(f"{at}/evidence/1/raw").text
    for path in (f"{at}/evidence", f"{at}/evidence/1/raw"):
        assert sign_in_as("cus").get_page(path).status_code == 404
        assert sign_in_as("cus2").get_page(path).status_code == 404


@pytest.mark.slow
def test_a_page_with_5000_entries_and_2000_comments_stays_small(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = many_commands(web_env, 1)
    with web_env.board.database.transaction() as session:
        session.execute(
            text(
                "insert into tb_audit_log (seq, created_at, actor, kind, sr_id, log_content, "
                "detail, previous_hash, current_hash) select 100000 + n, "
                "now() + n * interval '1 ms', 'agent:db-agent', 'handed_over', :sr, "
                "repeat('긴 글 ', 60), '{}', n::text, n::text from generate_series(1, 5000) n"
            ),
            {"sr": scenario.sr_id},
        )
    talk(web_env, scenario.sr_id, 2000)
    html = sign_in_as("eng").get_page(f"/issues/{scenario.sr_id}").text
    assert len(html.encode()) < 300_000
    total = re.search(r'전체 <span class="meta">(\d+)</span>', html)
    more = re.search(r"이전 ([\d,]+)건 더 보기", html)
    assert total and more
    # received, parsed, one command, what was inserted
    assert int(total[1]) == 7003
    assert int(more[1].replace(",", "")) == 7003 - 30


def test_a_long_comment_is_cut_with_a_way_to_all_of_it(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    sr_id = web_env.create_issue()
    body = "가나다라 " * 1000 + "끝"
    comments.add_comment(web_env.board, sr_id, Actor.person("eng"), body)
    comments.add_comment(web_env.board, sr_id, Actor.agent("db-agent"), "내부")
    browser = sign_in_as("eng")
    html = browser.get_page(f"/issues/{sr_id}").text
    assert f"전체 보기({len(body)}자)" in html
    assert browser.get_page(f"/issues/{sr_id}/comments/1").text == body
    # Customers read what people wrote, and nothing of other institutions.
    assert sign_in_as("cus2").get_page(f"/issues/{sr_id}/comments/1").status_code == 404
