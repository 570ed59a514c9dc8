"""A goal from the board to its issues and back, through real beats on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agents_env import AgentsEnv, open_agents_env
from board_env import LEAD, PM
from full_stack import LIBRARY
from sqlalchemy import select

from guardia.agents import lessons
from guardia.board.core.goal_lifecycle import GoalState
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Comment
from guardia.board.goals import decisions
from guardia.board.hiring import requests
from guardia.board.hiring import view as hiring_view
from guardia.board.issues import view
from guardia.board.organization import agent_memory
from guardia.board.organization.agent_memory import RunbookOutcome
from guardia.board.runs import beats
from guardia.heartbeat.beat import beat
from guardia.org import revisions


@pytest.fixture
def agents_env(database: Any, tmp_path: Path) -> Iterator[AgentsEnv]:
    with open_agents_env(database.owner, database.app, tmp_path) as found:
        yield found


@pytest.mark.slow
def test_a_goal_is_planned_approved_worked_and_achieved(agents_env: AgentsEnv) -> None:
    page = agents_env.give(
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
    assert page.children.total == 0

    numbers = agents_env.approve(page, 1)
    assert [agents_env.task(n).agent_id for n in numbers] == ["was-agent", "db-agent"]
    page = agents_env.page(page.sr_id)
    assert page.state is GoalState.ACTIVE and [c.sr_id for c in page.children.rows] == list(numbers)
    assert view.issue(agents_env.env.board, page.sr_id).state is State.IN_PROGRESS
    agents_env.work()
    assert {view.issue(agents_env.env.board, n).state for n in numbers} == {State.MANUAL}

    agents_env.finish(numbers[0])
    agents_env.work()
    page = agents_env.page(page.sr_id)
    assert (page.progress.done, page.progress.open) == (1, 1) and page.state is GoalState.ACTIVE
    agents_env.finish(numbers[1])
    agents_env.work()
    assert agents_env.page(page.sr_id).state is GoalState.ACHIEVED
    assert view.issue(agents_env.env.board, page.sr_id).state is State.COMPLETED
    assert agents_env.kinds(page.sr_id) == [
        "goal_given",
        "goal_planned",
        "goal_approved",
        "goal_achieved",
    ]


@pytest.mark.slow
def test_an_unclear_goal_raises_a_question_and_the_answer_is_planned(
    agents_env: AgentsEnv,
) -> None:
    page = agents_env.give("서비스를 더 좋게 만들어 줘")
    assert page.state is GoalState.ASKED
    (part,) = page.parts
    decisions.answer(
        agents_env.env.board, LEAD, page.sr_id, {part.piece: "MOF-WAS-01 로그를 분석해 줘"}
    )
    agents_env.work()
    page = agents_env.page(page.sr_id)
    assert page.state is GoalState.PLANNED
    assert [(p.server, p.action_type) for p in page.parts] == [("MOF-WAS-01", "LOG_ANALYSIS")]


@pytest.mark.slow
def test_a_missing_skill_is_hired_and_the_new_agent_works_in_its_next_beat(
    agents_env: AgentsEnv,
) -> None:
    agents_env.fire("sec-agent")
    page = agents_env.give(
        "MOF-WAS-01 서버의 계정 잠금을 점검하고 MOF-DB-01 방화벽 네트워크를 점검해"
    )
    assert [h.skills for h in page.hires] == [("ACCOUNT",), ("NETWORK",)]
    account, network = page.hires
    first, second = agents_env.approve(page)
    agents_env.work()
    assert agents_env.task(first).agent_id is None
    assert agents_env.task(first).status == State.RECEIVED

    revision = requests.approve(agents_env.env.board, PM, account.hire_id)
    with agents_env.env.board.database.reading() as session:
        assert revisions.latest(session) == revision
        assert revisions.get_revision(session, revision).author == "person:pm"
        assert "account-agent" in {a.id for a in revisions.running_chart(session).agents}
    beat(agents_env.env.board, lambda: agents_env.team, "account-agent")
    assert (agents_env.task(first).agent_id, agents_env.task(first).status) == (
        "account-agent",
        "MANUAL",
    )
    with agents_env.env.board.database.reading() as session:
        authors = set(session.scalars(select(Comment.author).where(Comment.sr_id == first)))
    assert authors == {"agent:account-agent"}

    requests.reject(agents_env.env.board, PM, network.hire_id, "사람이 맡습니다")
    assert agents_env.task(second).status == State.MANUAL
    assert [h.state for h in agents_env.page(page.sr_id).hires] == ["APPROVED", "REJECTED"]
    assert {"hire_approved", "hire_rejected"} <= set(agents_env.kinds(page.sr_id))
    assert "handed_over" in agents_env.kinds(second)


@pytest.mark.slow
def test_a_goal_with_a_failed_issue_is_reported_to_people_once(agents_env: AgentsEnv) -> None:
    page = agents_env.give("MOF-WAS-01 로그를 분석하고 MOE-DB-01 백업을 확인해 주세요")
    numbers = agents_env.approve(page)
    agents_env.finish(numbers[0])
    agents_env.finish(numbers[1], verb="abort")
    agents_env.work()
    agents_env.work()
    page = agents_env.page(page.sr_id)
    assert page.state is GoalState.ACTIVE and page.stuck
    assert (page.progress.done, page.progress.failed) == (1, 1)
    assert page.comments.total == 1
    decisions.achieve(agents_env.env.board, LEAD, page.sr_id, "백업은 다음 분기에")
    assert agents_env.page(page.sr_id).state is GoalState.ACHIEVED


@pytest.mark.slow
def test_a_lesson_is_used_and_mentioned_the_next_time(agents_env: AgentsEnv) -> None:
    (first,) = agents_env.approve(agents_env.give("MOF-WAS-01 로그를 분석해 주세요"))
    begun = beats.begin(agents_env.env.board, "was-agent")
    assert begun is not None
    claim = beats.claim_task(agents_env.env.board, begun)
    assert claim is not None and claim.sr_id == first
    assert "목표 SR-" in agent_memory.recall(agents_env.env.board, claim).working
    title = LIBRARY.runbook("log-analysis").title
    learned = RunbookOutcome(
        "log-analysis", "worked", lessons.lesson_text(title, "MOF-WAS-01", "worked")
    )
    agent_memory.write(agents_env.env.board, claim, "로그 원인 확인", [learned])
    (second,) = agents_env.approve(agents_env.give("MOF-WAS-01 로그를 다시 분석해 주세요"))
    agents_env.work()
    with agents_env.env.board.database.reading() as session:
        comments = "\n".join(session.scalars(select(Comment.body).where(Comment.sr_id == second)))
    assert f"지난 SR-{first}에서 MOF-WAS-01" in comments


@pytest.mark.slow
def test_a_dispatcher_requests_a_missing_specialist_once(agents_env: AgentsEnv) -> None:
    agents_env.fire("db-agent")
    for _ in range(2):
        sr_id = agents_env.env.create_issue(text="MOF-DB-01 데이터베이스 백업이 실패했습니다")
        agents_env.work()
        assert agents_env.task(sr_id).status == State.MANUAL
    (hire,) = hiring_view.pending_hires(agents_env.env.board, LEAD)
    assert hire.skills == ("BACKUP",) and hire.requester == "디스패처"
    requests.reject(agents_env.env.board, PM, hire.hire_id, "사람이 합니다")
    agents_env.env.create_issue(text="MOF-DB-01 데이터베이스 백업이 또 실패했습니다")
    agents_env.work()
    assert not hiring_view.pending_hires(agents_env.env.board, LEAD)
