"""The card of approvals shows each person the steps that they can decide now."""

from __future__ import annotations

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, LEAD2, OFFICER, PM, BoardEnv
from page_env import ADMIN, AUDITOR, IssueScenario, realistic_plan
from sqlalchemy import text

from guardia.board.approvals import decisions
from guardia.board.dashboard.cards import NO_FILTERS
from guardia.board.dashboard.waiting_card import WaitingCard
from guardia.org.directory import PersonInfo


def waiting(web_env: BoardEnv, person: PersonInfo) -> list[int]:
    return [step.sr_id for step in WaitingCard().read(web_env.board, person, NO_FILTERS).steps]


def approve(web_env: BoardEnv, scenario: IssueScenario, person: PersonInfo) -> None:
    task, bound = scenario.claim.task_id, scenario.plan_hash
    decisions.decide(web_env.board, person, task, approve=True, plan_hash=bound)


@pytest.mark.slow
def test_approvals_wait_for_the_approver_of_the_due_step(web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env, plan=realistic_plan("DEPLOY_SECURE")).waiting()
    everyone = (LEAD, LEAD2, PM, OFFICER, ENGINEER, CUSTOMER, AUDITOR, ADMIN)
    due = {p.id for p in everyone if waiting(web_env, p)}
    assert due == {"lead", "lead2"}
    approve(web_env, scenario, LEAD)
    assert {p.id for p in everyone if waiting(web_env, p)} == {"pm"}
    approve(web_env, scenario, PM)
    assert {p.id for p in everyone if waiting(web_env, p)} == {"officer"}
    approve(web_env, scenario, OFFICER)
    # Its plan ends a session, which cannot be undone: the shipped chart requires one more step.
    assert {p.id for p in everyone if waiting(web_env, p)} == {"admin"}
    approve(web_env, scenario, ADMIN)
    assert not {p.id for p in everyone if waiting(web_env, p)}


def test_a_requester_is_not_asked_to_approve(web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting(requester_id=LEAD.id)
    assert waiting(web_env, LEAD) == []
    assert waiting(web_env, LEAD2) == [scenario.sr_id]


def test_a_step_of_a_replaced_plan_is_not_shown(web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    with web_env.board.database.transaction() as session:
        session.execute(
            text("update tb_ops_task set plan_hash = 'other' where task_id = :t"),
            {"t": scenario.claim.task_id},
        )
    assert waiting(web_env, LEAD) == []


@pytest.mark.slow
def test_the_most_urgent_approval_comes_first(web_env: BoardEnv) -> None:
    calm, urgent = IssueScenario(web_env).waiting(), IssueScenario(web_env).waiting()
    with web_env.board.database.transaction() as session:
        session.execute(
            text("update tb_sr_request set priority = 'P1' where sr_id = :s"), {"s": urgent.sr_id}
        )
    assert waiting(web_env, LEAD) == [urgent.sr_id, calm.sr_id]
