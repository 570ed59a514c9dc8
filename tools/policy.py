"""What a grant covers, as pure rules that fail closed.

A category is a name of the org chart's approval policy; each bounds the risk of what it may run.
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
        # What a person orders outside of any procedure; its own chain of approvals guards it.
        "FORCED": Risk.DESTRUCTIVE,
    }
)
"""The shipped categories with the greatest risk that each allows, mildest first."""


def covers(category: str, risk: Risk, limits: Mapping[str, Risk] = LIMITS) -> bool:
    """Whether a grant of ``category`` may run something of ``risk``; an unknown one may nothing."""
    limit = limits.get(category)
    return limit is not None and risk in frozenset(Risk) and risk <= limit


def least_category(risks: Iterable[Risk], limits: Mapping[str, Risk] = LIMITS) -> str:
    """The mildest category that covers all of ``risks``; ``ValueError`` where none does."""
    wanted = tuple(risks)
    mild_first = sorted(limits, key=lambda category: limits[category])
    for category in mild_first:
        if all(covers(category, risk, limits) for risk in wanted):
            return category
    raise ValueError(f"no category covers {wanted!r}")
