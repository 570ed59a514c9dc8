"""People ask for changes: the agent reads the server again, and makes a new plan or hands over."""

from __future__ import annotations

import pytest
from full_stack import FullStack

from guardia.board.approvals import decisions, pending
from guardia.board.approvals.decision_request import DecisionRequest
from guardia.board.approvals.pending import PendingPlan
from guardia.board.approvals.policy import DecisionVerdict, RejectionChoice
from guardia.board.control import manual_plans
from guardia.board.control.manual_plans import PlanRevision
from guardia.board.core.lifecycle import State
from guardia.board.core.planner import ActionDraft
from guardia.board.tracker import issue_page
from guardia.errors import Invalid

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
    assert texts[0].startswith("변경할 수 있는 것이 없습니다.")


def test_a_fresh_archive_id_does_not_make_the_same_plan_another_one(stack: FullStack) -> None:
    if not stack.fleet.inventory.volumes:
        pytest.skip("the kernel gives no small volume here")
    stack.fleet.fault("full-volume")
    sr_id = stack.request("행안부 와스 로그 볼륨이 꽉 차서 오류가 납니다")
    stack.work()
    first = pending.pending_plans(stack.board, sr_id)[0]
    ask_changes(stack, first)
    assert stack.state(sr_id) is State.MANUAL
    [detail] = issue_page.get_issue(stack.board, stack.person("team_lead"), sr_id).tasks
    [only] = detail.versions
    assert (only.number, only.request) == (1, REQUESTED_CHANGE)
    assert only.answer.startswith("변경할 수 있는 것이 없습니다.")


def test_a_rejected_plan_is_not_proposed_again(stack: FullStack) -> None:
    sr_id, first = file_plan(stack)
    request = DecisionRequest(
        DecisionVerdict.REJECT, first.plan_hash, "배치가 끝나야 합니다", RejectionChoice.AGAIN
    )
    decisions.submit_decision(stack.board, stack.person("team_lead"), first.task_id, request)
    stack.work()
    assert stack.state(sr_id) is State.MANUAL and stack.changes(sr_id) == []
    [detail] = issue_page.get_issue(stack.board, stack.person("team_lead"), sr_id).tasks
    assert "배치가 끝나야 합니다" in detail.versions[-1].answer


def test_a_later_start_that_people_ask_for_is_in_the_next_plan(stack: FullStack) -> None:
    sr_id, first = file_plan(stack)
    lead = stack.person("team_lead")
    decisions.ask_changes(
        stack.board, lead, first.task_id, plan_hash=first.plan_hash, reason="23:50 이후에 해 주세요"
    )
    stack.work()
    again = pending.pending_plans(stack.board, sr_id)[0]
    assert again.plan.not_before is not None and "T23:50:00" in again.plan.not_before
    assert [a.call for a in again.plan.actions] == [a.call for a in first.plan.actions]
    stack.decide(sr_id)
    stack.work()
    assert stack.state(sr_id) is State.APPROVED and stack.changes(sr_id) == []


def test_an_edited_value_is_checked_and_its_pre_checks_are_read(stack: FullStack) -> None:
    sr_id = stack.request("기재부 와스 2호기에 3.1.1 버전 배포해 주세요")
    stack.work()
    filed = pending.editable_plans(stack.board, sr_id)[0]
    diagnosis, draft = filed.plan.because, ActionDraft.of(filed.plan.actions[0].call)
    lead = stack.person("team_lead")
    with pytest.raises(Invalid, match=r"3\.1\.1"):
        wrong = ActionDraft(draft.tool, {**draft.args, "version": "3.2.0"})
        revision = PlanRevision(filed.plan_hash, [wrong], "새 버전")
        manual_plans.change_plan(stack.board, lead, filed.task_id, revision)
    known = ActionDraft(draft.tool, {**draft.args, "version": draft.args["previous"]})
    revision = PlanRevision(filed.plan_hash, [known], "현재 버전 재적용")
    manual_plans.change_plan(stack.board, lead, filed.task_id, revision)
    stack.work()
    [detail] = issue_page.get_issue(stack.board, lead, sr_id).tasks
    edited = detail.versions[-1]
    assert detail.plan is not None and detail.plan.because == diagnosis
    assert edited.is_edited and edited.reason == "현재 버전 재적용"
    assert [c.argument for c in edited.changes] == ["version"]
    assert edited.checks is not None and edited.checks[0].holds and not edited.checks_due
    assert detail.versions[0].checks is not None
    assert any(e.kind == "plan_checked" for e in stack.entries(sr_id))
