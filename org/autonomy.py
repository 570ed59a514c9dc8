"""Autonomy of agents by institution and category, as org_chart.yaml gives it in phases.

Pure: which mode applies. `board.execution` enforces it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from guardia.text import CleanStr


class AutonomyMode(StrEnum):
    """How far agents go with work of their own plans; the first is the most cautious."""

    OBSERVE = "observe"
    """Diagnose, keep the plan that would have been filed, and leave the work to people."""
    PROPOSE = "propose"
    """File the plan and wait for the approvals that the policy demands."""
    ACT = "act"
    """As `PROPOSE`, but without asking again within a standing approval."""


_CAUTIOUS_FIRST = tuple(AutonomyMode)


class AutonomyRule(BaseModel):
    """The mode of one institution, one category, or both; without either, of everything else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    institution: CleanStr | None = None
    """Institution of the server; unset: every institution."""
    category: CleanStr | None = None
    """Category of the plan; unset: every category."""
    mode: Literal["observe", "propose", "act"]
    """A value of `AutonomyMode`."""

    @property
    def scope(self) -> tuple[str | None, str | None]:
        """The institution and category that it is for."""
        return self.institution, self.category


def autonomy_mode(
    rules: Sequence[AutonomyRule], institutions: Iterable[str | None], category: str
) -> AutonomyMode:
    """Return the mode for work that concerns these institutions; the most cautious one counts.

    An institution of `None` is unknown: it could be any that the rules name.
    """
    concerned = set(institutions) or {None}
    if None in concerned:
        concerned |= {rule.institution for rule in rules}
    return most_cautious(_mode(rules, name, category) for name in concerned)


def most_cautious(modes: Iterable[AutonomyMode]) -> AutonomyMode:
    """Return the most cautious of some modes."""
    return min(modes, key=_CAUTIOUS_FIRST.index)


def _mode(rules: Sequence[AutonomyRule], institution: str | None, category: str) -> AutonomyMode:
    """Return the mode of the most specific rules; of equally specific ones the most cautious."""
    fitting = [
        rule
        for rule in rules
        if rule.institution in (None, institution) and rule.category in (None, category)
    ]
    if not fitting:
        return AutonomyMode.PROPOSE
    depth = max(map(_specificity, fitting))
    return most_cautious(AutonomyMode(rule.mode) for rule in fitting if _specificity(rule) == depth)


def _specificity(rule: AutonomyRule) -> int:
    return sum(part is not None for part in rule.scope)
