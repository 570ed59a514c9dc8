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
from guardia.board.execution import tasks
from guardia.board.runs import beats
from guardia.errors import Forbidden, GuardiaError, Invalid, Stale


def decide(cast: BoardEnv, who: object, task: int, bound: str, **more: object) -> State:
    words = {"approve": True, "plan_hash": bound, **more}
    return decisions.decide(cast.desk, who, task, **words)  # type: ignore[arg-type]


def test_the_team_lead_approves_maintenance_and_the_agent_is_woken(cast: BoardEnv) -> None:
    held, _, bound = cast.planned()
    beats.begin(cast.desk, "db-agent")
    assert decide(cast, LEAD, held.task_id, bound) is State.APPROVED
    begun = beats.begin(cast.desk, "db-agent")
    assert begun is not None and "approval_decided" in begun.reasons


def test_a_rejection_needs_a_reason_and_ends_the_task(cast: BoardEnv) -> None:
    held, _, bound = cast.planned()
    with pytest.raises(Invalid):
        decide(cast, LEAD, held.task_id, bound, approve=False, reason="  ")
    state = decide(cast, LEAD, held.task_id, bound, approve=False, reason="백업 먼저")
    assert state is State.REJECTED


def test_a_chain_is_decided_in_order_by_its_roles(cast: BoardEnv) -> None:
    reversible = action().model_copy(update={"irreversible": None, "undo": TERMINATE})
    held, _, bound = cast.planned(plan("DEPLOY_SECURE", reversible))
    with pytest.raises(Forbidden):
        decide(cast, PM, held.task_id, bound)
    assert decide(cast, LEAD, held.task_id, bound) is State.PENDING_APPROVAL
    with pytest.raises(Forbidden):
        decide(cast, LEAD2, held.task_id, bound)
    assert decide(cast, PM, held.task_id, bound) is State.PENDING_APPROVAL
    assert decide(cast, OFFICER, held.task_id, bound) is State.APPROVED


@pytest.mark.parametrize("who", [ENGINEER, CUSTOMER], ids=lambda p: p.role)
def test_who_has_no_say_decides_nothing(cast: BoardEnv, who: object) -> None:
    held, _, bound = cast.planned()
    with pytest.raises(Forbidden):
        decide(cast, who, held.task_id, bound)


def test_the_requester_never_approves(cast: BoardEnv) -> None:
    cast.received(requester_id="lead")
    work_on = cast.hold("dispatcher")

    tasks.file_triage(cast.desk, work_on, assignment("MOF-DB-01"))
    held = cast.hold("db-agent")
    filed = plan()
    tasks.file_plan(cast.desk, held, filed)
    bound = tasks.plan_hash(held.task_id, filed)
    with pytest.raises(Forbidden, match="본인"):
        decide(cast, LEAD, held.task_id, bound)
    assert decide(cast, LEAD2, held.task_id, bound) is State.APPROVED


def test_a_decision_on_another_plan_than_the_one_seen_is_stale(cast: BoardEnv) -> None:
    held, _, bound = cast.planned()
    with pytest.raises(Stale):
        decide(cast, LEAD, held.task_id, "0" * 64)
    decide(cast, LEAD, held.task_id, bound)
    with pytest.raises(Stale):
        decide(cast, LEAD, held.task_id, bound)


def test_two_who_decide_at_once_make_one_decision(cast: BoardEnv) -> None:
    held, _, bound = cast.planned()

    def attempt(who: object) -> bool:
        try:
            decide(cast, who, held.task_id, bound)
        except GuardiaError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, (LEAD, LEAD2))) == [False, True]
    assert pending.pending_plans(cast.desk, held.sr_id) == []
