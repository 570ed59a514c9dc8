"""People ask for changes: the agent reads the server again, and plans anew or hands over."""

from __future__ import annotations

import pytest
from full_stack import FullStack

from guardia.board.approvals import decisions, pending
from guardia.board.approvals.pending import PendingPlan
from guardia.board.core.lifecycle import State

pytestmark = pytest.mark.slow

TEXT = "기재부 운영DB 쿼리가 너무 느려요"
WISH = "다른 세션도 함께 봐 주세요"


def asked(house: FullStack) -> tuple[int, PendingPlan]:
    """An issue whose plan waits."""
    house.fleet.fault("lock-chain")
    sr_id = house.request(TEXT)
    house.work()
    return sr_id, pending.pending_plans(house.desk, sr_id)[0]


def ask_changes(house: FullStack, waiting: PendingPlan) -> None:
    lead, bound = house.person("team_lead"), waiting.plan_hash
    decisions.ask_changes(house.desk, lead, waiting.task_id, plan_hash=bound, reason=WISH)
    house.work()


def test_where_the_server_has_changed_another_plan_is_filed_and_carried_out(
    house: FullStack,
) -> None:
    sr_id, first = asked(house)
    house.fleet.heal("lock-chain")
    house.fleet.fault("lock-chain")
    ask_changes(house, first)
    assert house.state(sr_id) is State.PENDING_APPROVAL
    assert pending.pending_plans(house.desk, sr_id)[0].plan_hash != first.plan_hash
    assert house.changes(sr_id) == []
    house.decide(sr_id)
    house.work()
    assert house.state(sr_id) is State.COMPLETED
    assert house.fleet.healthy("lock-chain")


def test_where_the_procedure_gives_the_same_plan_people_take_over_with_the_wish(
    house: FullStack,
) -> None:
    sr_id, first = asked(house)
    ask_changes(house, first)
    assert house.state(sr_id) is State.MANUAL
    assert house.changes(sr_id) == []
    said = [e.detail["text"] for e in house.entries(sr_id) if e.kind == "handed_over"]
    assert len(said) == 1 and WISH in said[0]
