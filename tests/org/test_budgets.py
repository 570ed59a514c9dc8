"""Models, prices and budgets of the chart, and the arithmetic of money."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from guardia.errors import Misconfigured
from guardia.org import chart, chart_model
from guardia.org.brains import BrainChoice
from guardia.org.budgets import MICROS_PER_WON, Amount, Budget, Cap, Price, format_won

SHIPPED = chart.shipped_chart_path().read_text("utf-8")
CHAT = "brain: {kind: chat, base_url: 'http://vllm:8000/v1', model: qwen}"


def chart_with_chat(budget: str = "", more: str = "") -> chart_model.OrgChart:
    """Return the shipped chart with a dispatcher that uses a chat model."""
    text = SHIPPED.replace("brain: {kind: embedded}", CHAT, 1)
    if budget:
        text = text.replace(CHAT, f"{CHAT}\n    budget: {budget}", 1)
    return chart.parse(f"{text}\n{more}")


def test_without_models_and_budgets_nothing_is_limited() -> None:
    agents = chart.parse(SHIPPED).agents
    assert all(a.brain.models_in_order == () and a.budget.cap("month").is_unlimited for a in agents)


def test_the_short_form_names_one_model() -> None:
    (model,) = chart_with_chat().agents[0].brain.models_in_order
    assert (model.base_url, model.model, model.timeout) == ("http://vllm:8000/v1", "qwen", 30)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "chat"},
        {"kind": "chat", "base_url": "http://a"},
        {"kind": "chat", "models": [{"model": "m"}]},
        {"kind": "chat", "models": [{"model": "m", "provider": "anthropic"}]},
        {"kind": "chat", "models": [{"model": "m", "base_url": "http://a", "timeout": 0}]},
        {"kind": "chat", "base_url": "http://a", "model": "m",
         "models": [{"model": "m", "base_url": "http://a"}]},
        {"kind": "chat", "models": [{"model": "m", "base_url": "http://a",
                                     "credential": "../key"}]},
    ],
)  # fmt: skip
def test_a_chat_brain_without_a_usable_model_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BrainChoice.model_validate(wrong)


@pytest.mark.parametrize(
    ("budget", "more"),
    [("{won: 100}", ""), ("{daily_won: 1}", ""), ("", "budgets: {company: {won: 5}}"),
     ("", "budgets: {institutions: {MOF: {daily_won: 5}}}")],
)  # fmt: skip
def test_a_cap_on_money_needs_prices(budget: str, more: str) -> None:
    with pytest.raises(Misconfigured, match="qwen"):
        chart_with_chat(budget, more)
    chart_with_chat(budget, f"{more}\nprices: {{qwen: {{input: 0, output: 0}}}}")
    chart_with_chat("{tokens: 100}")


@pytest.mark.parametrize("budget", ["{won: -1}", "{tokens: 1.5}", "{on_exhausted: stop}", "{x: 1}"])
def test_an_invalid_budget_is_refused(budget: str) -> None:
    with pytest.raises(Misconfigured):
        chart_with_chat(budget)


def test_sums_of_money_are_never_rounded() -> None:
    price = Price(input=3, output=7)
    assert (
        sum(price.cost(1, 1) for _ in range(100_000))
        == price.cost(100_000, 100_000)
        == MICROS_PER_WON
    )
    assert (format_won(0), format_won(20_000), format_won(1_234_567 * MICROS_PER_WON)) == (
        "0",
        "0.02",
        "1,234,567",
    )


def test_a_cap_counts_the_scarcer_of_tokens_and_money() -> None:
    cap = Budget(tokens=100, won=1).cap("month")
    assert cap.percent_used(Amount(10, MICROS_PER_WON // 2)) == 50 and not cap.is_nearly_reached(
        Amount(79, 0)
    )
    assert cap.is_nearly_reached(Amount(80, 0)) and cap.allows(Amount(100, MICROS_PER_WON))
    assert not cap.allows(Amount(0, MICROS_PER_WON + 1)) and not cap.allows(Amount(101, 0))
    assert cap.increased_by(Amount(1, 0)).allows(Amount(101, 0))
    assert Budget(tokens=100).cap("day").is_unlimited and Cap().percent_used(Amount(1, 1)) is None
