"""What a person must know to decide, in a few lines that are the same in every channel."""

from __future__ import annotations

from guardia.board.core.plan import Plan
from guardia.i18n import t

SHOWN_HASH = 12
"""Digits of a plan's hash that people see."""


def decision_summary(plan: Plan, plan_hash: str) -> tuple[str, ...]:
    """Return the lines: each action, the diagnosis, whether it can be undone, the plan's hash."""
    return (
        *(t("board.summary.action", text=action.effect) for action in plan.actions),
        t("board.summary.because", text=plan.because),
        t(f"board.summary.undo_{plan.reversibility}"),
        t("board.summary.plan", hash=plan_hash[:SHOWN_HASH], server=plan.server),
    )
