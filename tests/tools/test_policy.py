"""Which risks a grant covers: pure rules that fail closed."""

from __future__ import annotations

import ast
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from guardia.board.core.plan import Category, Risk
from guardia.tools import policy

# The table in full: the risks that each category covers.
TABLE = {
    "READ_ONLY": {Risk.READ},
    "MAINTENANCE": {Risk.READ, Risk.CHANGE},
    "DEPLOY_SECURE": {Risk.READ, Risk.CHANGE, Risk.DEPLOY},
    "DESTRUCTIVE": set(Risk),
    "FORCED": set(Risk),
}


@pytest.mark.parametrize("category", TABLE)
@pytest.mark.parametrize("risk", Risk)
def test_a_category_covers_only_its_risks(category: str, risk: Risk) -> None:
    assert policy.covers(category, risk) is (risk in TABLE[category])


def test_every_shipped_category_is_known() -> None:
    assert set(policy.LIMITS) == {c.value for c in Category}


@pytest.mark.parametrize("category", ["", "read_only", "NIGHT", "READ_ONLY ", "None"])
@pytest.mark.parametrize("risk", Risk)
def test_an_unknown_category_covers_nothing(category: str, risk: Risk) -> None:
    assert not policy.covers(category, risk)


@pytest.mark.parametrize("risk", [-1, 4, 99, "READ", None])
def test_an_unknown_risk_is_never_covered(risk: Any) -> None:
    assert not policy.covers("DESTRUCTIVE", risk)
    with pytest.raises(ValueError):
        policy.least_category([risk])


@pytest.mark.parametrize("count", range(5))
def test_the_least_category_is_the_lowest_that_covers_all(count: int) -> None:
    order = list(TABLE)
    for risks in combinations(Risk, count):
        least = policy.least_category(risks)
        assert all(policy.covers(least, risk) for risk in risks)
        for milder in order[: order.index(least)]:
            assert not all(policy.covers(milder, risk) for risk in risks)


def test_a_custom_category_has_its_own_limit() -> None:
    own = {"NIGHT_BATCH": Risk.CHANGE}
    assert policy.covers("NIGHT_BATCH", Risk.CHANGE, own)
    assert not policy.covers("NIGHT_BATCH", Risk.DEPLOY, own)
    assert not policy.covers("MAINTENANCE", Risk.READ, own)
    with pytest.raises(ValueError):
        policy.least_category([Risk.DEPLOY], own)


def test_it_is_pure() -> None:
    tree = ast.parse(Path(policy.__file__ or "").read_text())
    modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert modules == {"__future__", "collections.abc", "types", "guardia.board.core.plan"}
