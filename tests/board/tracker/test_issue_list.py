from __future__ import annotations

from typing import Any

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, LEAD2, OFFICER, PM, BoardEnv, assignment
from page_env import (
    ADMIN,
    AUDITOR,
    CUSTOMER_WITHOUT_INSTITUTION,
    OTHER_CUSTOMER,
    IssueScenario,
    enrol_page_users,
    realistic_plan,
    recorded_statements,
)
from sqlalchemy import text

from guardia.board.approvals import decisions
from guardia.board.core.lifecycle import State
from guardia.board.execution import tasks
from guardia.board.issues import visibility
from guardia.board.tracker import issue_list
from guardia.board.tracker.issue_list import IssueQuery, IssueRow
from guardia.org.directory import PersonInfo


@pytest.fixture
def board(cast: BoardEnv) -> BoardEnv:
    """The seeded board with a second institution."""
    enrol_page_users(cast)
    return cast


def numbers(board: BoardEnv, viewer: PersonInfo = LEAD, **query: Any) -> list[int]:
    return [r.sr_id for r in issue_list.list_issues(board.desk, viewer, IssueQuery(**query)).rows]


def received(board: BoardEnv, count: int) -> list[int]:
    return [board.received(text=f"요청 {n}") for n in range(count)]


def test_pages_by_keyset_show_every_issue_once_in_both_directions(board: BoardEnv) -> None:
    all_of_them = received(board, 12)[::-1]
    seen, cursor, newest = [], {}, None
    while True:
        page = issue_list.list_issues(board.desk, LEAD, IssueQuery(size=5, **cursor))
        newest = newest or page
        seen += [r.sr_id for r in page.rows]
        if page.older is None:
            break
        cursor = {"before": page.older}
    assert seen == all_of_them
    assert (newest.newer, page.older) == (None, None)
    assert page.newer is not None
    back = issue_list.list_issues(board.desk, LEAD, IssueQuery(size=5, after=page.newer))
    assert [r.sr_id for r in back.rows] == all_of_them[5:10]
    # Towards the newest end the page is filled up rather than left short.
    first = issue_list.list_issues(board.desk, LEAD, IssueQuery(size=5, after=all_of_them[2]))
    assert [r.sr_id for r in first.rows] == all_of_them[:5]
    assert first.newer is None


def test_an_issue_that_arrives_meanwhile_moves_nothing_on_older_pages(board: BoardEnv) -> None:
    known = received(board, 6)[::-1]
    page = issue_list.list_issues(board.desk, LEAD, IssueQuery(size=3))
    received(board, 2)
    assert numbers(board, size=3, before=page.older) == known[3:]


def test_a_row_says_who_what_and_where(board: BoardEnv) -> None:
    story = IssueScenario(board).receive("기재부 운영DB 쿼리가 너무 느려요").parse()
    (row,) = issue_list.list_issues(board.desk, LEAD, IssueQuery()).rows
    assert isinstance(row, IssueRow)
    assert (row.sr_id, row.status, row.servers) == (story.sr_id, State.PARSED, ("MOF-DB-01",))
    assert (row.institution, row.agent, row.engineer) == ("기획재정부", "DB 전문가", "김철수 대리")
    assert (row.category, row.priority) == ("DB", "P2")


def test_the_list_asks_as_much_for_many_issues_as_for_few(board: BoardEnv) -> None:
    IssueScenario(board).waiting()
    with recorded_statements(board.desk) as few:
        issue_list.list_issues(board.desk, LEAD, IssueQuery())
    received(board, 20)
    board.hold("dispatcher")
    with recorded_statements(board.desk) as many:
        assert len(issue_list.list_issues(board.desk, LEAD, IssueQuery()).rows) == 21
    assert len(many) == len(few) <= 6


def test_open_closed_and_all(board: BoardEnv) -> None:
    done = IssueScenario(board).receive().parse()
    tasks.hand_over(board.desk, done.hold, "사람이 봅니다")
    rejected = IssueScenario(board).waiting()
    decisions.decide(
        board.desk,
        LEAD,
        rejected.hold.task_id,
        approve=False,
        plan_hash=rejected.plan_hash,
        reason="위험",
    )
    assert numbers(board, state="open") == [done.sr_id]
    assert numbers(board, state="closed") == [rejected.sr_id]
    assert numbers(board, state="all") == [rejected.sr_id, done.sr_id]


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
def test_words_find_titles_texts_servers_people_and_numbers(
    board: BoardEnv, words: str, found: list[int]
) -> None:
    IssueScenario(board).receive("운영DB가 느려요").parse()
    board.received(text="디스크 100% 입니다")
    assert numbers(board, state="all", words=words) == found


def test_customers_see_their_institution_and_nothing_else(board: BoardEnv) -> None:
    theirs = IssueScenario(board).receive().parse().sr_id
    unknown = board.received(text="어느 기관인지 아직 모름")
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
            assert (sr_id in numbers(board, person)) is (person in seers), person
            assert visibility.can_see(board.desk, person, sr_id) is (person in seers), person
    assert visibility.institution_of(board.desk, theirs) == "MOF"
    assert visibility.institution_of(board.desk, unknown) is None


def test_a_role_that_nobody_knows_sees_nothing(board: BoardEnv) -> None:
    board.received()
    odd = PersonInfo(id="x", name="x", title="", role="king", institution="MOF")
    assert numbers(board, odd, state="all") == []


def waiting(board: BoardEnv, person: PersonInfo) -> list[int]:
    return [w.sr_id for w in issue_list.list_issues(board.desk, person, IssueQuery()).waiting]


def approve(board: BoardEnv, story: IssueScenario, person: PersonInfo) -> None:
    task, bound = story.hold.task_id, story.plan_hash
    decisions.decide(board.desk, person, task, approve=True, plan_hash=bound)


def test_approvals_wait_for_whoever_has_the_step_that_is_due(board: BoardEnv) -> None:
    story = IssueScenario(board, plan=realistic_plan("DEPLOY_SECURE")).waiting()
    everyone = (LEAD, LEAD2, PM, OFFICER, ENGINEER, CUSTOMER, AUDITOR, ADMIN)
    due = {p.id for p in everyone if waiting(board, p)}
    assert due == {"lead", "lead2"}
    approve(board, story, LEAD)
    assert {p.id for p in everyone if waiting(board, p)} == {"pm"}
    approve(board, story, PM)
    assert {p.id for p in everyone if waiting(board, p)} == {"officer"}
    approve(board, story, OFFICER)
    # Its plan ends a session, which nothing brings back: the shipped chart asks one more.
    assert {p.id for p in everyone if waiting(board, p)} == {"admin"}
    approve(board, story, ADMIN)
    assert not {p.id for p in everyone if waiting(board, p)}


def test_nobody_is_asked_to_approve_their_own_request(board: BoardEnv) -> None:
    story = IssueScenario(board).waiting(requester_id=LEAD.id)
    assert waiting(board, LEAD) == []
    assert waiting(board, LEAD2) == [story.sr_id]


def test_a_step_of_a_plan_that_was_replaced_waits_for_nobody(board: BoardEnv) -> None:
    story = IssueScenario(board).waiting()
    with board.desk.database.transaction() as session:
        session.execute(
            text("update tb_ops_task set plan_hash = 'other' where task_id = :t"),
            {"t": story.hold.task_id},
        )
    assert waiting(board, LEAD) == []


def test_the_most_urgent_approval_comes_first(board: BoardEnv) -> None:
    calm, urgent = IssueScenario(board).waiting(), IssueScenario(board).waiting()
    with board.desk.database.transaction() as session:
        session.execute(
            text("update tb_sr_request set priority = 'P1' where sr_id = :s"), {"s": urgent.sr_id}
        )
    assert waiting(board, LEAD) == [urgent.sr_id, calm.sr_id]


def test_the_list_says_how_much_of_the_record_it_has_seen(board: BoardEnv) -> None:
    before = issue_list.list_issues(board.desk, LEAD, IssueQuery()).position
    board.received()
    assert issue_list.list_issues(board.desk, LEAD, IssueQuery()).position > before


def test_several_servers_are_named_in_their_order(board: BoardEnv) -> None:
    board.received()
    tasks.file_triage(board.desk, board.hold("dispatcher"), assignment("MOF-WAS-01", "MOF-DB-01"))
    (row,) = issue_list.list_issues(board.desk, LEAD, IssueQuery()).rows
    assert row.servers == ("MOF-WAS-01", "MOF-DB-01")
