"""The pages of site rules, and what a plan's page shows of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from board_env import LEAD, BoardEnv
from page_env import PageClient, enrol_page_users, main_part
from rules_env import SENTENCE, add, plan_hash

from guardia.board.control import manual_plans
from guardia.board.core.planner import ActionDraft
from guardia.board.execution import view as execution_view
from guardia.board.site_rules import view

Browse = Callable[[str], PageClient]
HOSTILE = '<script>alert(1)</script> "\u202e가'


@pytest.mark.slow
@pytest.mark.usefixtures("web_env")
def test_people_add_edit_and_remove_a_rule_on_the_pages(env: BoardEnv, sign_in_as: Browse) -> None:
    enrol_page_users(env)
    lead, admin = sign_in_as("lead"), sign_in_as("admin")
    words = {
        "kind": "freeze",
        "name": "settlement",
        "sentence": HOSTILE,
        "actions": "*.restart, service.set_log_level",
        "periods": "매년 12-25~01-05\n매주 월,화 09:00~18:00\n매월 말 3일 초 2일",
        "institution": "MOF",
        "reason": "회계과 요청",
    }
    wrong = lead.submit_form("/rules", "/rules/new", **{**words, "periods": "언젠가"})
    assert wrong.status_code == 422 and 'id="periods-error"' in wrong.text
    assert "언젠가" in wrong.text and "회계과 요청" in wrong.text
    # The fault is at its field, which has the focus.
    assert wrong.text.count("autofocus") == 1
    done = lead.submit_form("/rules", "/rules/new", **words)
    assert (done.status_code, done.headers["location"]) == (303, "/rules/settlement")
    html = lead.get_page("/rules").text
    assert "<script>alert(1)" not in html and "매년 12-25~01-05" in html and "\u202e" not in html
    page = lead.get_page("/rules/settlement")
    assert "매주 월,화 09:00~18:00" in page.text and "제1판" in page.text
    looser = {**words, "periods": "매년 12-25~12-31", "version": "1"}
    path = "/rules/settlement"
    assert lead.submit_form(f"{path}/edit", f"{path}/edit", **looser).status_code == 303
    assert "변경 제안" in lead.get_page(path).text
    own = {"verdict": "approve", "version": "2"}
    assert lead.submit_form(f"{path}/decision", path, **own).status_code == 403
    assert admin.submit_form(f"{path}/decision", path, **own).status_code == 303
    current = view.rule_history(env.board, None, "settlement").current
    assert current is not None and current.version == 2
    stale = {"version": "1", "reason": "폐지"}
    assert lead.submit_form(f"{path}/remove", path, **stale).status_code == 409


@pytest.mark.usefixtures("web_env")
def test_others_read_the_rules_or_not_at_all(env: BoardEnv, sign_in_as: Browse) -> None:
    enrol_page_users(env)
    add(env.board, "look-only", {"kind": "investigate"})
    engineer, customer = sign_in_as("eng"), sign_in_as("cus")
    html = engineer.get_page("/rules/look-only").text
    assert SENTENCE in html and "<form" not in main_part(html)
    assert engineer.get("/rules/new").status_code == 403
    assert engineer.get("/rules/nosuch").status_code == 404
    assert customer.get("/rules").status_code in (403, 404)


@pytest.mark.slow
@pytest.mark.usefixtures("web_env")
def test_a_plan_shows_the_rules_that_it_breaks_and_takes_an_exception(
    env: BoardEnv, sign_in_as: Browse
) -> None:
    enrol_page_users(env)
    add(env.board, "look-only", {"kind": "investigate"}, scope={"institution": "MOF"})
    add(env.board, "later", {"kind": "never", "actions": ["service.restart"]})
    sr_id = env.create_issue()
    args = {"service": "budgetdb", "pid": "7", "backend_start": "2026-11-20 05:00:00+00"}
    draft = ActionDraft("database.terminate_session", args)
    task_id = manual_plans.force_action(env.board, LEAD, sr_id, "MOF-DB-01", draft, "긴급")
    lead, officer = sign_in_as("lead"), sign_in_as("officer")
    for browser in (lead, officer):
        html = browser.get_page(f"/issues/{sr_id}").text
        assert "이 계획은 운영 규칙을 어깁니다" in html and SENTENCE in html
        assert "이 서버의 운영 규칙" in html and "/rules/later" not in html
    path = f"/issues/{sr_id}/tasks/{task_id}/exception"
    bound = plan_hash(env, task_id)
    missing = lead.submit_form(path, f"/issues/{sr_id}", plan_hash=bound, reason="")
    assert missing.status_code == 422
    engineer = sign_in_as("eng")
    refused = engineer.submit_form(path, f"/issues/{sr_id}", plan_hash=bound, reason="긴급")
    assert refused.status_code == 403
    done = lead.submit_form(path, f"/issues/{sr_id}", plan_hash=bound, reason="장애 지속")
    assert done.status_code == 303
    html = officer.get_page(f"/issues/{sr_id}").text
    assert "승인을 요청한 규칙 예외" in html and "장애 지속" in html
    assert "이 계획은 운영 규칙을 어깁니다" not in html
    plan = execution_view.plan_state(env.board, task_id).plan
    assert plan is not None and [e.rule for e in plan.exceptions] == ["look-only"]
