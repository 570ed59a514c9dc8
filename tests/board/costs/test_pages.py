"""The page of costs: permission, content, and raising a budget."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from board_env import BoardEnv
from budget_env import apply_budget_chart, exhaust_budget, pay_calls
from page_env import IssueScenario, PageClient, recorded_statements

from guardia.board.costs import budgets

Browse = Callable[[str], PageClient]


@pytest.mark.slow
def test_staff_see_costs_and_customers_do_not(sign_in_as: Browse, web_env: BoardEnv) -> None:
    assert "모델 호출이나" in sign_in_as("eng").get_page("/costs").text, (
        "the empty state says what to do"
    )
    assert 'href="/costs"' in sign_in_as("lead").get_page("/issues").text
    customer = sign_in_as("cus")
    assert customer.get_page("/costs").status_code == 403
    assert "/costs" not in customer.get_page("/issues").text


@pytest.mark.slow
def test_the_page_shows_the_month_by_agent_institution_and_model(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    apply_budget_chart(web_env, "{won: 10, daily_tokens: 5000}")
    claim = web_env.create_parsed_task()
    pay_calls(web_env, claim, times=3)
    html = sign_in_as("lead").get_page("/costs").text
    for part in ("DB 전문가", "기획재정부", "qwen", f'href="/issues/{claim.sr_id}"', "<rect "):
        assert part in html
    assert re.search(r'<rect class="gone" width="13"', html), "1.38 of 10 won"
    assert "3,000 / 5,000 토큰" in html
    assert "/costs/raise" not in html, "a team lead may not raise"
    assert "style=" not in html, "the policy of the pages forbids it"
    empty = sign_in_as("lead").get_page("/costs?month=2026-01").text
    assert "모델 호출이나" in empty
    for wrong in ("2026-13", "x", "9999-01", "2026-1"):
        assert sign_in_as("lead").get_page(f"/costs?month={wrong}").status_code == 422


@pytest.mark.slow
def test_raising_the_budget_resumes_the_agent(sign_in_as: Browse, web_env: BoardEnv) -> None:
    claim = exhaust_budget(web_env)
    assert "예산 소진으로 중지되었습니다" in sign_in_as("lead").get_page("/costs").text
    assert sign_in_as("lead").submit_form("/costs/raise", "/issues/new", target="agent:db-agent",
                               tokens="2000", reason="계속").status_code == 403  # fmt: skip
    browser = sign_in_as("pm")
    page = browser.get_page("/costs?raise=agent:db-agent").text
    assert re.search(r'<option value="agent:db-agent\|[^"]+" selected>', page)
    words = {"target": "agent:db-agent", "tokens": "많이", "reason": "월말"}
    wrong = browser.submit_form("/costs/raise", "/costs", **words)
    assert wrong.status_code == 422
    assert 'value="많이"' in wrong.text and ">월말</textarea>" in wrong.text, "nothing is lost"
    words["tokens"] = "2,000"
    assert browser.submit_form("/costs/raise", "/costs", **words).status_code == 303
    assert "예산 소진으로 중지되었습니다" not in browser.get_page("/costs").text
    assert web_env.claim("db-agent").task_id == claim.task_id


@pytest.mark.slow
def test_the_issue_lists_its_model_calls(sign_in_as: Browse, web_env: BoardEnv) -> None:
    apply_budget_chart(web_env)
    scenario = IssueScenario(web_env).receive().parse()
    pay_calls(web_env, scenario.claim, why="<b>형식</b>")
    html = sign_in_as("eng").get_page(f"/issues/{scenario.sr_id}").text
    assert "qwen · 분류 · 응답 사용 불가" in html
    assert "600 → 400 토큰" in html and "0123456789ab" in html
    assert "&lt;b&gt;형식" in html and "<b>형식" not in html
    assert "qwen" not in sign_in_as("cus").get_page(f"/issues/{scenario.sr_id}").text


@pytest.mark.slow
def test_the_page_costs_the_same_however_often_models_were_asked(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    apply_budget_chart(web_env, "{won: 1000}")
    claim = web_env.create_parsed_task()
    pay_calls(web_env, claim)
    browser = sign_in_as("lead")
    with recorded_statements(web_env.board) as few:
        browser.get_page("/costs")
    pay_calls(web_env, claim, times=20)
    with recorded_statements(web_env.board) as many:
        browser.get_page("/costs")
    assert len(many) == len(few)
    assert not [sql for sql in many if "tb_model_call" in sql]


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["agent:nobody", "company", "", "x:y:z"])
def test_invalid_input_raises_nothing(sign_in_as: Browse, web_env: BoardEnv, scope: str) -> None:
    apply_budget_chart(web_env, "{won: 10}")
    sent = sign_in_as("pm").submit_form(
        "/costs/raise", "/costs", target=scope, won="1", reason="이유"
    )
    assert sent.status_code == 422
    assert budgets.process_due(web_env.board) == 0
