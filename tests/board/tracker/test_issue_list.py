from __future__ import annotations

from typing import Any

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, BoardEnv, assignment
from page_env import (
    ADMIN,
    AUDITOR,
    CUSTOMER_WITHOUT_INSTITUTION,
    OTHER_CUSTOMER,
    IssueScenario,
    enrol_page_users,
    recorded_statements,
)

from guardia.board.approvals import decisions
from guardia.board.approvals.policy import RejectionChoice
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.execution import assignments, tasks
from guardia.board.issues import visibility
from guardia.board.tracker import issue_list
from guardia.board.tracker.issue_list import IssueQuery, IssueRow
from guardia.errors import NotFound
from guardia.org.directory import PersonInfo


@pytest.fixture
def web_env(env: BoardEnv) -> BoardEnv:
    """The seeded board with a second institution."""
    enrol_page_users(env)
    return env


def numbers(web_env: BoardEnv, viewer: PersonInfo = LEAD, **query: Any) -> list[int]:
    return [
        r.sr_id for r in issue_list.list_issues(web_env.board, viewer, IssueQuery(**query)).rows
    ]


def can_see(board: BoardContext, person: PersonInfo, sr_id: int) -> bool:
    try:
        visibility.require_issue(board, person, sr_id)
    except NotFound:
        return False
    return True


def received(web_env: BoardEnv, count: int) -> list[int]:
    return [web_env.create_issue(text=f"요청 {n}") for n in range(count)]


def test_pages_by_keyset_show_every_issue_once_in_both_directions(web_env: BoardEnv) -> None:
    all_of_them = received(web_env, 12)[::-1]
    seen, cursor, newest = [], {}, None
    while True:
        page = issue_list.list_issues(web_env.board, LEAD, IssueQuery(size=5, **cursor))
        newest = newest or page
        seen += [r.sr_id for r in page.rows]
        if page.older is None:
            break
        cursor = {"before": page.older}
    assert seen == all_of_them
    assert (newest.newer, page.older) == (None, None)
    assert page.newer is not None
    back = issue_list.list_issues(web_env.board, LEAD, IssueQuery(size=5, after=page.newer))
    assert [r.sr_id for r in back.rows] == all_of_them[5:10]
    # The page at the newest end is full rather than short.
    first = issue_list.list_issues(web_env.board, LEAD, IssueQuery(size=5, after=all_of_them[2]))
    assert [r.sr_id for r in first.rows] == all_of_them[:5]
    assert first.newer is None


def test_a_new_issue_does_not_shift_older_pages(web_env: BoardEnv) -> None:
    known = received(web_env, 6)[::-1]
    page = issue_list.list_issues(web_env.board, LEAD, IssueQuery(size=3))
    received(web_env, 2)
    assert numbers(web_env, size=3, before=page.older) == known[3:]


def test_a_row_shows_people_title_and_servers(web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).receive("기재부 운영DB 쿼리가 너무 느려요").parse()
    (row,) = issue_list.list_issues(web_env.board, LEAD, IssueQuery()).rows
    assert isinstance(row, IssueRow)
    assert (row.sr_id, row.status, row.servers) == (scenario.sr_id, State.PARSED, ("MOF-DB-01",))
    assert (row.institution, row.agent, row.engineer) == ("기획재정부", "DB 전문가", "김철수 대리")
    assert (row.category, row.priority) == ("DB", "P2")


@pytest.mark.slow
def test_the_number_of_queries_does_not_grow_with_the_list(web_env: BoardEnv) -> None:
    IssueScenario(web_env).waiting()
    with recorded_statements(web_env.board) as few:
        issue_list.list_issues(web_env.board, LEAD, IssueQuery())
    received(web_env, 20)
    web_env.claim("dispatcher")
    with recorded_statements(web_env.board) as many:
        assert len(issue_list.list_issues(web_env.board, LEAD, IssueQuery()).rows) == 21
    assert len(many) == len(few) <= 6


def test_open_closed_and_all(web_env: BoardEnv) -> None:
    done = IssueScenario(web_env).receive().parse()
    tasks.hand_over(web_env.board, done.claim, "사람이 봅니다")
    rejected = IssueScenario(web_env).waiting()
    decisions.decide(
        web_env.board,
        LEAD,
        rejected.claim.task_id,
        approve=False,
        plan_hash=rejected.plan_hash,
        reason="위험",
        then=RejectionChoice.CLOSE,
    )
    assert numbers(web_env, state="open") == [done.sr_id]
    assert numbers(web_env, state="closed") == [rejected.sr_id]
    assert numbers(web_env, state="all") == [rejected.sr_id, done.sr_id]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("느려요", [1]),
        ("100%", [2]),
        ("SR-2", [2]),
        ("#1", [1]),
        ("2", [2]),
        ("mof-db", [1]),
        ("김철수", [1]),
        ("기획재정부 느려요", [1]),
        ("느려요 100%", []),
        ("_", []),
        ("%", [2]),
        ("\0 느려요", [1]),
        ("99999999999999999999", []),
        ("", [2, 1]),
    ],
)
@pytest.mark.slow
def test_search_finds_titles_texts_servers_people_and_numbers(
    web_env: BoardEnv, words: str, found: list[int]
) -> None:
    IssueScenario(web_env).receive("운영DB가 느려요").parse()
    web_env.create_issue(text="디스크 100% 입니다")
    assert numbers(web_env, state="all", words=words) == found


def test_customers_see_their_institution_and_nothing_else(web_env: BoardEnv) -> None:
    theirs = IssueScenario(web_env).receive().parse().sr_id
    unknown = web_env.create_issue(text="어느 기관인지 아직 모름")
    for sr_id, seers in (
        (theirs, {CUSTOMER, ENGINEER, LEAD, AUDITOR, ADMIN}),
        (unknown, {ENGINEER, LEAD, AUDITOR, ADMIN}),
    ):
        for person in (
            CUSTOMER,
            OTHER_CUSTOMER,
            CUSTOMER_WITHOUT_INSTITUTION,
            ENGINEER,
            LEAD,
            AUDITOR,
            ADMIN,
        ):
            assert (sr_id in numbers(web_env, person)) is (person in seers), person
            assert can_see(web_env.board, person, sr_id) is (person in seers), person
    assert visibility.institution_of(web_env.board, theirs) == "MOF"
    assert visibility.institution_of(web_env.board, unknown) is None


def test_an_unknown_role_sees_nothing(web_env: BoardEnv) -> None:
    web_env.create_issue()
    odd = PersonInfo(id="x", name="x", title="", role="king", institution="MOF")
    assert numbers(web_env, odd, state="all") == []


def test_the_list_contains_its_position_in_the_audit_log(web_env: BoardEnv) -> None:
    before = issue_list.list_issues(web_env.board, LEAD, IssueQuery()).position
    web_env.create_issue()
    assert issue_list.list_issues(web_env.board, LEAD, IssueQuery()).position > before


@pytest.mark.slow
def test_several_servers_are_named_in_their_order(web_env: BoardEnv) -> None:
    web_env.create_issue()
    assignments.file_triage(
        web_env.board, web_env.claim("dispatcher"), assignment("MOF-WAS-01", "MOF-DB-01")
    )
    (row,) = issue_list.list_issues(web_env.board, LEAD, IssueQuery()).rows
    assert row.servers == ("MOF-WAS-01", "MOF-DB-01")
