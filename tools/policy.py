"""Which risks a grant covers: pure rules that fail closed.

A category is a name from the approval policy of the org chart; each limits the risk of what may run
under it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from guardia.board.core.plan import Risk

LIMITS: Mapping[str, Risk] = MappingProxyType(
    {
        "READ_ONLY": Risk.READ,
        "MAINTENANCE": Risk.CHANGE,
        "DEPLOY_SECURE": Risk.DEPLOY,
        "DESTRUCTIVE": Risk.DESTRUCTIVE,
        # Ordered by a person outside of any runbook; guarded by an approval chain of its own.
        "FORCED": Risk.DESTRUCTIVE,
    }
)
"""The shipped categories with the highest risk that each allows, lowest first."""


def covers(category: str, risk: Risk, limits: Mapping[str, Risk] = LIMITS) -> bool:
    """Return whether a grant of `category` covers `risk`. An unknown category covers nothing."""
    limit = limits.get(category)
    return limit is not None and risk in frozenset(Risk) and risk <= limit


def least_category(risks: Iterable[Risk], limits: Mapping[str, Risk] = LIMITS) -> str:
    """Return the lowest category that covers all `risks`. Raises `ValueError` if none does."""
    required = tuple(risks)
    mild_first = sorted(limits, key=lambda category: limits[category])
    for category in mild_first:
        if all(covers(category, risk, limits) for risk in required):
            return category
    raise ValueError(f"no category covers {required!r}")
