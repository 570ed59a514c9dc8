"""Completed work is accepted by its requester or by an engineer of its server."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, LEAD2, BoardEnv, assignment, plan
from policy_env import Clock, rule
from sqlalchemy import select

from guardia.board.approvals import acceptance, deadlines, decisions
from guardia.board.approvals.model import Acceptance
from guardia.board.audit.model import AuditEntry
from guardia.board.control import reopening
from guardia.board.core.lifecycle import State
from guardia.board.core.model import OutboxEntry
from guardia.board.execution import assignments, tasks, view
from guardia.board.tracker import issue_page
from guardia.errors import Forbidden, Stale, UserError


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def env(env: BoardEnv, clock: Clock) -> BoardEnv:
    """Return the board with a clock that the test moves."""
    env.board = replace(env.board, clock=clock)
    return env


def completed(env: BoardEnv, policy: str, **more: str) -> int:
    rule(env, policy)
    env.create_issue(**more)
    assignments.file_triage(env.board, env.claim("dispatcher"), assignment("MOF-DB-01"))
    held = env.claim("db-agent")
    tasks.file_plan(env.board, held, plan())
    bound = tasks.plan_hash(held.task_id, plan())
    decisions.decide(env.board, LEAD, held.task_id, approve=True, plan_hash=bound)
    claim = env.claim("db-agent")
    tasks.begin_execution(env.board, claim)
    tasks.complete(env.board, claim, "원인: 잠금\n조치: 세션 종료\n결과: 정상")
    return claim.task_id


def state(env: BoardEnv) -> str:
    with env.board.database.reading() as session:
        return (
            session.scalars(
                select(Acceptance.state).order_by(Acceptance.acceptance_id.desc())
            ).first()
            or ""
        )


def kinds(env: BoardEnv) -> list[str]:
    with env.board.database.reading() as session:
        return list(session.scalars(select(AuditEntry.kind).order_by(AuditEntry.seq)))


REQUESTER = "{steps: [team_lead], acceptance: requester, accept_within: 24h}"
BY_ENGINEER = "{steps: [team_lead], acceptance: engineer, accept_within: 24h}"


def test_without_the_rule_nothing_is_asked(env: BoardEnv) -> None:
    completed(env, "[team_lead]", requester_id="cus")
    assert state(env) == ""


@pytest.mark.slow
def test_the_requester_accepts_and_no_one_else(env: BoardEnv) -> None:
    task_id = completed(env, REQUESTER, requester_id="cus", institution="MOF")
    [seen] = issue_page.get_issue(env.board, CUSTOMER, 1).acceptances
    assert seen.mine and seen.asked_of == "requester"
    for person in (LEAD, ENGINEER):
        with pytest.raises(Forbidden):
            acceptance.accept(env.board, person, task_id)
    assert acceptance.accept(env.board, CUSTOMER, task_id).state == "ACCEPTED"
    with pytest.raises(Stale):
        acceptance.accept(env.board, CUSTOMER, task_id)
    assert kinds(env)[-1] == "accepted"


def test_the_requester_s_message_has_cause_action_and_result(env: BoardEnv) -> None:
    completed(env, REQUESTER, requester_id="cus")
    with env.board.database.reading() as session:
        texts = list(session.scalars(select(OutboxEntry.text)))
    assert any(all(word in text for word in ("원인", "조치", "결과")) for text in texts)
    assert any("해결되지 않았습니다" in text for text in texts)


def test_silence_of_the_requester_is_consent(env: BoardEnv, clock: Clock) -> None:
    completed(env, REQUESTER, requester_id="cus")
    clock.later(hours=23)
    assert deadlines.process_due(env.board) == 0
    clock.later(hours=2)
    assert deadlines.process_due(env.board) == 1
    assert state(env) == "LAPSED" and deadlines.process_due(env.board) == 0


@pytest.mark.slow
def test_an_engineer_of_the_server_accepts_or_it_escalates(env: BoardEnv, clock: Clock) -> None:
    task_id = completed(env, BY_ENGINEER)
    for person in (LEAD, LEAD2, CUSTOMER):
        with pytest.raises(Forbidden):
            acceptance.accept(env.board, person, task_id)
    clock.later(hours=25)
    assert deadlines.process_due(env.board) == 1
    assert state(env) == "WAITING"
    assert acceptance.accept(env.board, LEAD, task_id).state == "ACCEPTED"


def test_the_engineer_of_another_server_does_not_accept(env: BoardEnv) -> None:
    task_id = completed(env, BY_ENGINEER)
    other = ENGINEER.model_copy(update={"id": "eng2"})
    with pytest.raises(Forbidden):
        acceptance.accept(env.board, other, task_id)
    assert acceptance.accept(env.board, ENGINEER, task_id).state == "ACCEPTED"


def test_an_unknown_requester_is_replaced_by_an_engineer(env: BoardEnv) -> None:
    task_id = completed(env, REQUESTER)
    assert acceptance.accept(env.board, ENGINEER, task_id).asked_of == "engineer"


def test_not_solved_reopens_and_the_next_end_asks_again(env: BoardEnv, clock: Clock) -> None:
    task_id = completed(env, REQUESTER, requester_id="cus", institution="MOF")
    assert reopening.reopen(env.board, CUSTOMER, 1, "여전히 느립니다") is State.PARSED
    assert state(env) == "REOPENED"
    clock.later(hours=48)
    assert deadlines.process_due(env.board) == 0
    claim = env.claim("db-agent")
    tasks.file_plan(env.board, claim, plan())
    bound = tasks.plan_hash(claim.task_id, plan(), 1)
    decisions.decide(env.board, LEAD, task_id, approve=True, plan_hash=bound)
    again = env.claim("db-agent")
    tasks.begin_execution(env.board, again)
    tasks.complete(env.board, again, "끝")
    assert state(env) == "WAITING"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_in_any_order_of_acts_an_acceptance_waits_only_for_completed_work_and_once(
    env: BoardEnv, clock: Clock, seed: int
) -> None:
    chance = random.Random(seed)
    task_id = completed(env, REQUESTER, requester_id="cus", institution="MOF")

    def finish() -> None:
        attempt = view.task(env.board, task_id).attempt
        claim = env.claim("db-agent")
        tasks.file_plan(env.board, claim, plan())
        bound = tasks.plan_hash(task_id, plan(), attempt)
        decisions.decide(env.board, LEAD, task_id, approve=True, plan_hash=bound)
        begun = env.claim("db-agent")
        tasks.begin_execution(env.board, begun)
        tasks.complete(env.board, begun, "끝")

    acts: list[Callable[[], object]] = [
        lambda: acceptance.accept(env.board, CUSTOMER, task_id),
        lambda: acceptance.accept(env.board, LEAD, task_id),
        lambda: reopening.reopen(env.board, CUSTOMER, 1, "아직"),
        lambda: deadlines.process_due(env.board),
        finish,
    ]
    for _ in range(14):
        clock.later(hours=chance.choice((1, 30)))
        with suppress(UserError, AssertionError):
            chance.choice(acts)()
        with env.board.database.reading() as session:
            found = list(session.scalars(select(Acceptance)))
        waiting = [row for row in found if row.state == "WAITING"]
        assert len(waiting) <= 1
        assert not waiting or view.task(env.board, task_id).state is State.COMPLETED
        assert all(row.decided_by == "person:cus" for row in found if row.state == "ACCEPTED")
