"""Tests of decisions on approval chains."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from board_env import (
    CUSTOMER,
    ENGINEER,
    LEAD,
    LEAD2,
    OFFICER,
    PM,
    TERMINATE,
    BoardEnv,
    action,
    assignment,
    plan,
)

from guardia.board.approvals import decisions, pending
from guardia.board.core.lifecycle import State
from guardia.board.execution import assignments, tasks
from guardia.board.runs import beats
from guardia.errors import Forbidden, GuardiaError, Invalid, Stale


def decide(env: BoardEnv, who: object, task: int, bound: str, **more: object) -> State:
    words = {"approve": True, "plan_hash": bound, **more}
    return decisions.decide(env.board, who, task, **words)  # type: ignore[arg-type]


def test_the_team_lead_approves_maintenance_and_the_agent_is_woken(env: BoardEnv) -> None:
    held, _, bound = env.create_filed_plan()
    beats.begin(env.board, "db-agent")
    assert decide(env, LEAD, held.task_id, bound) is State.APPROVED
    begun = beats.begin(env.board, "db-agent")
    assert begun is not None and "approval_decided" in begun.reasons


def test_a_rejection_needs_a_reason_and_hands_an_incident_to_people(env: BoardEnv) -> None:
    held, _, bound = env.create_filed_plan()
    with pytest.raises(Invalid):
        decide(env, LEAD, held.task_id, bound, approve=False, reason="  ")
    state = decide(env, LEAD, held.task_id, bound, approve=False, reason="백업 먼저")
    assert state is State.MANUAL


def test_a_chain_is_decided_in_order_by_its_roles(env: BoardEnv) -> None:
    reversible = action().model_copy(update={"irreversible": None, "undo": TERMINATE})
    held, _, bound = env.create_filed_plan(plan("DEPLOY_SECURE", reversible))
    with pytest.raises(Forbidden):
        decide(env, PM, held.task_id, bound)
    assert decide(env, LEAD, held.task_id, bound) is State.PENDING_APPROVAL
    with pytest.raises(Forbidden):
        decide(env, LEAD2, held.task_id, bound)
    assert decide(env, PM, held.task_id, bound) is State.PENDING_APPROVAL
    assert decide(env, OFFICER, held.task_id, bound) is State.APPROVED


@pytest.mark.parametrize("who", [ENGINEER, CUSTOMER], ids=lambda p: p.role)
def test_people_without_the_role_cannot_decide(env: BoardEnv, who: object) -> None:
    held, _, bound = env.create_filed_plan()
    with pytest.raises(Forbidden):
        decide(env, who, held.task_id, bound)


def test_the_requester_never_approves(env: BoardEnv) -> None:
    env.create_issue(requester_id="lead")
    work_on = env.claim("dispatcher")

    assignments.file_triage(env.board, work_on, assignment("MOF-DB-01"))
    held = env.claim("db-agent")
    filed = plan()
    tasks.file_plan(env.board, held, filed)
    bound = tasks.plan_hash(held.task_id, filed)
    with pytest.raises(Forbidden, match="본인"):
        decide(env, LEAD, held.task_id, bound)
    assert decide(env, LEAD2, held.task_id, bound) is State.APPROVED


def test_a_decision_on_another_plan_than_the_one_seen_is_stale(env: BoardEnv) -> None:
    held, _, bound = env.create_filed_plan()
    with pytest.raises(Stale):
        decide(env, LEAD, held.task_id, "0" * 64)
    decide(env, LEAD, held.task_id, bound)
    with pytest.raises(Stale):
        decide(env, LEAD, held.task_id, bound)


@pytest.mark.slow
def test_two_simultaneous_decisions_count_as_one(env: BoardEnv) -> None:
    held, _, bound = env.create_filed_plan()

    def attempt(who: object) -> bool:
        try:
            decide(env, who, held.task_id, bound)
        except GuardiaError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, (LEAD, LEAD2))) == [False, True]
    assert pending.pending_plans(env.board, held.sr_id) == []
