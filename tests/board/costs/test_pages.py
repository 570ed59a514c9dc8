"""The page of costs: who sees it, what it shows, and raising a budget on it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from budget_env import charter, exhausted, paid
from cast import Cast
from pages import Browser, Story, statements

from guardia.board.costs import budgets

Browse = Callable[[str], Browser]


def test_staff_see_costs_and_customers_do_not(browse: Browse, board: Cast) -> None:
    assert "모델 호출이나" in browse("eng").see("/costs").text, "the empty state says what to do"
    assert 'href="/costs"' in browse("lead").see("/issues").text
    customer = browse("cus")
    assert customer.see("/costs").status_code == 403
    assert "/costs" not in customer.see("/issues").text


def test_the_page_shows_the_month_by_agent_institution_and_model(
    browse: Browse, board: Cast
) -> None:
    charter(board, "{won: 10, daily_tokens: 5000}")
    hold = board.parsed()
    paid(board, hold, times=3)
    html = browse("lead").see("/costs").text
    for part in ("DB 전문가", "기획재정부", "qwen", f'href="/issues/{hold.sr_id}"', "<rect "):
        assert part in html
    assert re.search(r'<rect class="gone" width="13"', html), "1.38 of 10 won"
    assert "3,000 / 5,000 토큰" in html
    assert "/costs/raise" not in html, "a team lead may not raise"
    assert "style=" not in html, "the policy of the pages forbids it"
    empty = browse("lead").see("/costs?month=2026-01").text
    assert "모델 호출이나" in empty
    for wrong in ("2026-13", "x", "9999-01", "2026-1"):
        assert browse("lead").see(f"/costs?month={wrong}").status_code == 422


def test_a_person_with_the_right_raises_the_budget_and_the_agent_goes_on(
    browse: Browse, board: Cast
) -> None:
    hold = exhausted(board)
    assert "예산 소진으로 중지되었습니다" in browse("lead").see("/costs").text
    assert browse("lead").fill("/costs/raise", "/issues/new", target="agent:db-agent",
                               tokens="2000", reason="계속").status_code == 403  # fmt: skip
    browser = browse("pm")
    page = browser.see("/costs?raise=agent:db-agent").text
    assert '<option value="agent:db-agent" selected>' in page
    words = {"target": "agent:db-agent", "tokens": "많이", "reason": "월말"}
    wrong = browser.fill("/costs/raise", "/costs", **words)
    assert wrong.status_code == 422
    assert 'value="많이"' in wrong.text and ">월말</textarea>" in wrong.text, "nothing is lost"
    words["tokens"] = "2,000"
    assert browser.fill("/costs/raise", "/costs", **words).status_code == 303
    assert "예산 소진으로 중지되었습니다" not in browser.see("/costs").text
    assert board.hold("db-agent").task_id == hold.task_id


def test_the_issue_tells_which_models_were_asked(browse: Browse, board: Cast) -> None:
    charter(board)
    story = Story(board).receive().parse()
    paid(board, story.hold, why="<b>형식</b>")
    html = browse("eng").see(f"/issues/{story.sr_id}").text
    assert "qwen · 분류 · 응답 사용 불가" in html
    assert "600 → 400 토큰" in html and "0123456789ab" in html
    assert "&lt;b&gt;형식" in html and "<b>형식" not in html
    assert "qwen" not in browse("cus").see(f"/issues/{story.sr_id}").text


def test_the_page_costs_the_same_however_often_models_were_asked(
    browse: Browse, board: Cast
) -> None:
    charter(board, "{won: 1000}")
    hold = board.parsed()
    paid(board, hold)
    browser = browse("lead")
    with statements(board.desk) as few:
        browser.see("/costs")
    paid(board, hold, times=20)
    with statements(board.desk) as many:
        browser.see("/costs")
    assert len(many) == len(few)
    assert not [sql for sql in many if "tb_model_call" in sql]


@pytest.mark.parametrize("scope", ["agent:nobody", "company", "", "x:y:z"])
def test_nonsense_raises_nothing(browse: Browse, board: Cast, scope: str) -> None:
    charter(board, "{won: 10}")
    sent = browse("pm").fill("/costs/raise", "/costs", target=scope, won="1", reason="이유")
    assert sent.status_code == 422
    assert budgets.look(board.desk) == 0
