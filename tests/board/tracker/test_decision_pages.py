"""The issue page shows requests with answers, edits, acceptance, and leads back into work."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from board_env import LEAD, PM, TERMINATE, BoardEnv, action, assignment, plan, replace_plan
from page_env import PageClient
from policy_env import rule

from guardia.board.approvals import decisions
from guardia.board.core.plan import Plan
from guardia.board.execution import assignments, tasks

Browse = Callable[[str], PageClient]


def other(pid: int) -> Plan:
    call = TERMINATE.model_copy(update={"args": {**TERMINATE.args, "pid": pid}})
    return plan("MAINTENANCE", action().model_copy(update={"call": call}))


@pytest.mark.slow
def test_requests_answers_and_edits_are_shown_with_their_numbers(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    claim, _, bound = web_env.create_filed_plan()
    words = {"plan_hash": bound, "reason": "세션 8을 끝내 주세요"}
    decisions.ask_changes(web_env.board, LEAD, claim.task_id, **words)
    again = web_env.claim("db-agent")
    tasks.file_plan(web_env.board, again, other(8), answer="요청에 따라 변경했습니다: PID 7 → 8")
    replace_plan(web_env.board, claim.task_id, other(9), PM)
    html = sign_in_as("lead").get_page(f"/issues/{claim.sr_id}").text
    for text in ("1차 계획", "변경 요청:", "세션 8을 끝내 주세요", "에이전트 답변:", "PID 7 → 8"):
        assert text in html
    assert "3차 계획" in html and "운영자가 변경:" in html
    assert "8 → 9" in html and "최현우 PM, 고침" in html
    assert "세션 7이 잠금을 쥐고 있습니다." in html


@pytest.mark.slow
def test_the_requester_accepts_or_says_that_it_is_not_solved(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    rule(web_env, "{steps: [team_lead], acceptance: requester}")
    web_env.create_issue(requester_id="cus", institution="MOF")
    assignments.file_triage(web_env.board, web_env.claim("dispatcher"), assignment("MOF-DB-01"))
    claim = web_env.claim("db-agent")
    tasks.file_plan(web_env.board, claim, plan())
    bound = tasks.plan_hash(claim.task_id, plan())
    decisions.decide(web_env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    begun = web_env.claim("db-agent")
    tasks.begin_execution(web_env.board, begun)
    tasks.complete(web_env.board, begun, "끝")
    customer = sign_in_as("cus")
    html = customer.get_page("/issues/1").text
    assert "확인 대기(요청자)" in html
    assert "해결되지 않았습니다" in customer.get_page("/issues/1/service").text
    assert "/acceptance" not in sign_in_as("lead").get_page("/issues/1").text
    accepted = customer.submit_form(f"/issues/1/tasks/{claim.task_id}/acceptance", "/issues/1")
    assert accepted.status_code == 303
    assert "수락함" in customer.get_page("/issues/1").text
    reopened = customer.submit_form("/issues/1/reopen", "/issues/1", reason="다시 느립니다")
    assert reopened.status_code == 303
    assert "이슈를 다시 열었습니다" in customer.get_page("/issues/1").text
