"""Expected cost of a hire from prices and measured usage, and the remaining budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from board_env import LEAD, PM, BoardEnv, seeded_env
from budget_env import PRICES, pay_calls
from sqlalchemy import select

from guardia.board.core.actors import Actor
from guardia.board.costs.model import CostDay
from guardia.board.goals import planning
from guardia.board.goals.planning import Breakdown, GoalPartDraft
from guardia.board.hiring import cost_estimate, requests, view
from guardia.board.hiring.model import HireRequest
from guardia.board.hiring.requests import Opening
from guardia.board.hiring.view import HireView
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import beats
from guardia.org import chart, revisions

CHAT = "brain: {kind: chat, base_url: 'http://127.0.0.1:1/v1', model: qwen, timeout: 20}"
COMPANY = "budgets: {company: {won: %d}}\n"


@pytest.fixture
def env(database: Any) -> Iterator[BoardEnv]:
    with seeded_env(database.app) as found:
        yield found


def charter(env: BoardEnv, more: str) -> None:
    """Apply a chart in which all specialists use a model."""
    text = chart.shipped_chart_path().read_text("utf-8").replace("brain: {kind: embedded}", CHAT)
    organization_chart.apply_chart(env.board, f"{text}\n{more}", Actor.operator("test"))


def asked(env: BoardEnv) -> HireView:
    """Return a team head's request for a network specialist, as the board shows it."""
    planning.create_goal(env.board, LEAD, "회선 점검", channel="web")
    begun = beats.begin(env.board, "dispatcher")
    assert begun is not None
    claim = planning.claim_goal(env.board, begun)
    assert claim is not None
    opening = Opening("net-agent", "회선 전문가", ("NETWORK",), "dispatcher", "없음")
    part = GoalPartDraft(
        0, "회선 점검", "REQUEST", "NETWORK", "P3", server="MOF-DB-01", opening=opening
    )
    planning.file_plan(env.board, claim, Breakdown(({"text": "회선 점검"},), (part,), "내장 규칙"))
    return view.pending_hires(env.board, PM)[0]


def test_the_embedded_brain_costs_nothing_and_the_page_says_so(env: BoardEnv) -> None:
    found = asked(env)
    assert (found.monthly_won, found.estimate_basis) == (0, "내장 규칙: 모델 비용 없음")
    assert found.budget_note == "", "there is no cap"


@pytest.mark.slow
def test_a_model_costs_what_its_peers_have_used(env: BoardEnv) -> None:
    charter(env, PRICES + COMPANY % 1_000_000)
    # 3 calls of 600 and 400 tokens on one task: 1.38 won; one task a month is expected.
    pay_calls(env, env.create_parsed_task(), times=3)
    found = asked(env)
    assert found.monthly_won == 2
    assert "3,000토큰 × 월 1건" in found.estimate_basis and "qwen" in found.estimate_basis
    assert "999,998원" in found.budget_note and not found.short
    requests.approve(env.board, PM, found.hire_id)
    with env.board.database.reading() as session:
        agents = {a.id: a for a in revisions.running_chart(session).agents}
        assert session.scalars(select(HireRequest.monthly_won)).one() == 2
    assert agents["net-agent"].brain == agents["db-agent"].brain


@pytest.mark.parametrize(("prices", "why"), [("", "단가가 없어"), (PRICES, "실적이 없어")])
@pytest.mark.slow
def test_an_unknown_cost_is_not_shown_as_zero(env: BoardEnv, prices: str, why: str) -> None:
    charter(env, prices)
    found = asked(env)
    assert found.monthly_won is None and why in found.estimate_basis


@pytest.mark.slow
def test_a_cost_beyond_the_remaining_budget_is_shown(env: BoardEnv) -> None:
    charter(env, PRICES + COMPANY % 1)
    pay_calls(env, env.create_parsed_task())
    with env.board.database.transaction() as session:
        session.scalars(select(CostDay).where(CostDay.model == "qwen")).one().tokens_in = 10**9
    found = asked(env)
    assert found.short and "예산 잔액은 0원" in found.budget_note and found.monthly_won == 100_001


def test_a_month_is_counted_from_today() -> None:
    assert cost_estimate.RemainingBudget(10, 15, 30).short(20) is None
    assert cost_estimate.RemainingBudget(9, 15, 30).short(20) == 10
    assert cost_estimate.RemainingBudget(None, 15, 30).short(20) is None
