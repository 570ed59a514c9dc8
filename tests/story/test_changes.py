"""People ask for changes: the agent reads the server again, and makes a new plan or hands over."""

from __future__ import annotations

import pytest
from full_stack import FullStack

from guardia.board.approvals import decisions, pending
from guardia.board.approvals.pending import PendingPlan
from guardia.board.core.lifecycle import State

pytestmark = pytest.mark.slow

TEXT = "기재부 운영DB 쿼리가 너무 느려요"
REQUESTED_CHANGE = "다른 세션도 함께 봐 주세요"


def file_plan(stack: FullStack) -> tuple[int, PendingPlan]:
    """Return an issue whose plan waits for approval."""
    stack.fleet.fault("lock-chain")
    sr_id = stack.request(TEXT)
    stack.work()
    return sr_id, pending.pending_plans(stack.board, sr_id)[0]


def ask_changes(stack: FullStack, waiting: PendingPlan) -> None:
    lead, bound = stack.person("team_lead"), waiting.plan_hash
    decisions.ask_changes(
        stack.board, lead, waiting.task_id, plan_hash=bound, reason=REQUESTED_CHANGE
    )
    stack.work()


def test_a_changed_server_leads_to_another_plan_that_is_carried_out(
    stack: FullStack,
) -> None:
    sr_id, first = file_plan(stack)
    stack.fleet.heal("lock-chain")
    stack.fleet.fault("lock-chain")
    ask_changes(stack, first)
    assert stack.state(sr_id) is State.PENDING_APPROVAL
    assert pending.pending_plans(stack.board, sr_id)[0].plan_hash != first.plan_hash
    assert stack.changes(sr_id) == []
    stack.decide(sr_id)
    stack.work()
    assert stack.state(sr_id) is State.COMPLETED
    assert stack.fleet.is_healthy("lock-chain")


def test_the_same_plan_again_is_handed_over_to_people_with_the_requested_change(
    stack: FullStack,
) -> None:
    sr_id, first = file_plan(stack)
    ask_changes(stack, first)
    assert stack.state(sr_id) is State.MANUAL
    assert stack.changes(sr_id) == []
    texts = [e.detail["text"] for e in stack.entries(sr_id) if e.kind == "handed_over"]
    assert len(texts) == 1 and REQUESTED_CHANGE in texts[0]
