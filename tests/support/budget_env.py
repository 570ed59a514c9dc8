"""Budgets and model calls for tests: a chart with caps, settled calls, an agent out of budget."""

from __future__ import annotations

from contextlib import suppress

from board_env import BoardEnv

from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim
from guardia.board.core.context import BoardContext
from guardia.board.costs import budgets, metering
from guardia.board.costs.budget_accounts import BudgetRefusal
from guardia.board.costs.metering import ModelCallRequest, ModelCallResult
from guardia.board.organization import chart as organization_chart
from guardia.errors import Exhausted
from guardia.org import chart

BID = ModelCallRequest("triage", "openai", "qwen", "0123456789ab", 600, 400, 30)
PRICES = "prices: {qwen: {input: 100, output: 1000}}\n"
"""With these, `BID` costs at most 0.46 won."""


def apply_budget_chart(env: BoardEnv, budget: str = "", more: str = PRICES) -> None:
    """Apply the shipped chart with a budget for the DB specialist."""
    text = chart.shipped_chart_path().read_text("utf-8")
    if budget:
        text = text.replace("  - id: db-agent\n", f"  - id: db-agent\n    budget: {budget}\n")
    organization_chart.apply_chart(env.board, f"{text}\n{more}", Actor.operator("test"))


def reserve_call(board: BoardContext, claim: Claim, bid: ModelCallRequest = BID) -> int:
    """Reserve a call and return its number."""
    call = metering.reserve(board, claim, bid)
    assert isinstance(call, int), call
    return call


def pay_calls(env: BoardEnv, claim: Claim, *, times: int = 1, why: str = "") -> None:
    """Reserve and settle calls that use all they may; failed ones if `why` is given."""
    for _ in range(times):
        call = reserve_call(env.board, claim)
        outcome = "unusable" if why else "used"
        metering.settle(env.board, call, ModelCallResult(outcome, why, 600, 400, 812))


def exhaust_budget(env: BoardEnv) -> Claim:
    """Use up the DB specialist's budget, which pauses the agent; return its claim."""
    apply_budget_chart(env, "{tokens: 1500, on_exhausted: pause}")
    claim = env.create_parsed_task()
    pay_calls(env, claim)
    refused = metering.reserve(env.board, claim, BID)
    assert isinstance(refused, BudgetRefusal) and refused.pauses_agent
    with suppress(Exhausted):
        budgets.pause_agent(env.board, claim, refused)
    return claim
