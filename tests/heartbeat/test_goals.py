"""A goal from the board to its issues and back, through real beats over real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agents_env import Office, at_work
from cast import LEAD, PM
from full_stack import LIBRARY
from sqlalchemy import select

from guardia.agents import lessons
from guardia.board.core.goal_lifecycle import GoalState
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Comment
from guardia.board.execution import view
from guardia.board.goals import decisions
from guardia.board.hiring import requests
from guardia.board.hiring import view as hiring_view
from guardia.board.organization import agent_memory
from guardia.board.organization.agent_memory import Experience
from guardia.board.runs import beats
from guardia.heartbeat.beat import beat
from guardia.org import revisions


@pytest.fixture
def office(database: Any, tmp_path: Path) -> Iterator[Office]:
    with at_work(database.owner, database.app, tmp_path) as found:
        yield found


def test_a_goal_is_planned_approved_worked_and_achieved(office: Office) -> None:
    page = office.give(
        "연말 결산이 다가옵니다. 2030-12-20까지 기획재정부 모든 WAS 서버의 상태를 점검하고, "
        "교육부 DB 백업을 확인해 주세요. 보안을 더 좋게 해 주세요."
    )
    assert page.state is GoalState.PLANNED
    clear = [(p.server, p.agent, p.category) for p in page.parts if not p.question]
    assert clear == [
        ("MOF-WAS-01", "WAS 전문가", "WAS"),
        ("MOF-WAS-02", "WAS 전문가", "WAS"),
        ("MOE-DB-01", "DB 전문가", "BACKUP"),
    ]
    assert str(page.due_on) == "2030-12-20" and str(page.parts[0].due_on) == "2030-12-20"
    assert [p.text for p in page.parts if p.question] == ["보안을 더 좋게 해 주세요."]
    assert not page.children

    numbers = office.approve(page, 1)
    assert [office.task(n).agent_id for n in numbers] == ["was-agent", "db-agent"]
    page = office.page(page.sr_id)
    assert page.state is GoalState.ACTIVE and [c.sr_id for c in page.children] == list(numbers)
    assert view.issue(office.board.desk, page.sr_id).state is State.IN_PROGRESS
    office.work()
    assert {view.issue(office.board.desk, n).state for n in numbers} == {State.MANUAL}

    office.finish(numbers[0])
    office.work()
    page = office.page(page.sr_id)
    assert (page.progress.done, page.progress.open) == (1, 1) and page.state is GoalState.ACTIVE
    office.finish(numbers[1])
    office.work()
    assert office.page(page.sr_id).state is GoalState.ACHIEVED
    assert view.issue(office.board.desk, page.sr_id).state is State.COMPLETED
    assert office.kinds(page.sr_id) == [
        "goal_given",
        "goal_planned",
        "goal_approved",
        "goal_achieved",
    ]


def test_an_unclear_goal_is_asked_back_and_the_answer_is_planned(office: Office) -> None:
    page = office.give("서비스를 더 좋게 만들어 줘")
    assert page.state is GoalState.ASKED
    (part,) = page.parts
    decisions.answer(
        office.board.desk, LEAD, page.sr_id, {part.piece: "MOF-WAS-01 로그를 분석해 줘"}
    )
    office.work()
    page = office.page(page.sr_id)
    assert page.state is GoalState.PLANNED
    assert [(p.server, p.action_type) for p in page.parts] == [("MOF-WAS-01", "LOG_ANALYSIS")]


def test_a_missing_skill_is_hired_and_the_new_agent_works_in_its_next_beat(
    office: Office,
) -> None:
    office.fire("sec-agent")
    page = office.give("MOF-WAS-01 서버의 계정 잠금을 점검하고 MOF-DB-01 방화벽 네트워크를 점검해")
    assert [h.skills for h in page.hires] == [("ACCOUNT",), ("NETWORK",)]
    account, network = page.hires
    first, second = office.approve(page)
    office.work()
    assert office.task(first).agent_id is None
    assert office.task(first).status == State.RECEIVED

    revision = requests.approve(office.board.desk, PM, account.hire_id)
    with office.board.desk.database.reading() as session:
        assert revisions.latest(session) == revision
        assert revisions.of(session, revision).author == "person:pm"
        assert "account-agent" in {a.id for a in revisions.running(session).agents}
    beat(office.board.desk, lambda: office.team, "account-agent")
    assert (office.task(first).agent_id, office.task(first).status) == ("account-agent", "MANUAL")
    with office.board.desk.database.reading() as session:
        authors = set(session.scalars(select(Comment.author).where(Comment.sr_id == first)))
    assert authors == {"agent:account-agent"}

    requests.reject(office.board.desk, PM, network.hire_id, "사람이 맡습니다")
    assert office.task(second).status == State.MANUAL
    assert [h.state for h in office.page(page.sr_id).hires] == ["APPROVED", "REJECTED"]
    assert {"hire_approved", "hire_rejected"} <= set(office.kinds(page.sr_id))
    assert "handed_over" in office.kinds(second)


def test_what_does_not_end_well_is_put_before_people_once(office: Office) -> None:
    page = office.give("MOF-WAS-01 로그를 분석하고 MOE-DB-01 백업을 확인해 주세요")
    numbers = office.approve(page)
    office.finish(numbers[0])
    office.finish(numbers[1], verb="abort")
    office.work()
    office.work()
    page = office.page(page.sr_id)
    assert page.state is GoalState.ACTIVE and page.stuck
    assert (page.progress.done, page.progress.failed) == (1, 1)
    assert len(page.comments) == 1
    decisions.achieve(office.board.desk, LEAD, page.sr_id, "백업은 다음 분기에")
    assert office.page(page.sr_id).state is GoalState.ACHIEVED


def test_a_lesson_is_used_and_said_the_next_time(office: Office) -> None:
    (first,) = office.approve(office.give("MOF-WAS-01 로그를 분석해 주세요"))
    begun = beats.begin(office.board.desk, "was-agent")
    assert begun is not None
    hold = beats.claim(office.board.desk, begun)
    assert hold is not None and hold.sr_id == first
    assert "목표 SR-" in agent_memory.recall(office.board.desk, hold).working
    title = LIBRARY.runbook("log-analysis").title
    learned = Experience("log-analysis", "worked", lessons.told(title, "MOF-WAS-01", "worked"))
    agent_memory.write(office.board.desk, hold, "로그 원인 확인", [learned])
    (second,) = office.approve(office.give("MOF-WAS-01 로그를 다시 분석해 주세요"))
    office.work()
    with office.board.desk.database.reading() as session:
        said = "\n".join(session.scalars(select(Comment.body).where(Comment.sr_id == second)))
    assert f"지난 SR-{first}에서 MOF-WAS-01" in said


def test_a_dispatcher_asks_by_itself_for_whom_it_misses_once(office: Office) -> None:
    office.fire("db-agent")
    for _ in range(2):
        sr_id = office.board.received(text="MOF-DB-01 데이터베이스 백업이 실패했습니다")
        office.work()
        assert office.task(sr_id).status == State.MANUAL
    (hire,) = hiring_view.waiting(office.board.desk, LEAD)
    assert hire.skills == ("BACKUP",) and hire.requester == "디스패처"
    requests.reject(office.board.desk, PM, hire.hire_id, "사람이 합니다")
    office.board.received(text="MOF-DB-01 데이터베이스 백업이 또 실패했습니다")
    office.work()
    assert not hiring_view.waiting(office.board.desk, LEAD)
