"""A plan as its approver reads it first: what users notice, whether it can be undone, failure."""

from __future__ import annotations

from dataclasses import dataclass

from guardia.board.core.labels import check_sentence, to_seoul_time, tool_title
from guardia.board.core.plan import Action, Plan, Reversibility
from guardia.i18n import t


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """Facts of a plan, from the declarations of its tools."""

    reversible: Reversibility
    impacts: tuple[str, ...]
    """What users notice while it runs, each sentence once."""
    on_failure: str
    conditions: tuple[str, ...]
    """What must hold before an action runs."""
    confirmations: tuple[str, ...]
    """What is verified afterwards."""


def summarize_plan(plan: Plan) -> PlanSummary:
    """Summarize a plan in the current language."""
    return PlanSummary(
        plan.reversibility,
        tuple(dict.fromkeys(_impact(action) for action in plan.actions)),
        t(f"web.summary.on_failure.{plan.reversibility}"),
        tuple(dict.fromkeys(check_sentence(c) for a in plan.actions for c in a.precheck)),
        tuple(
            dict.fromkeys(
                check_sentence(c)
                for c in (*(c for a in plan.actions for c in a.verify), *plan.verify)
            )
        ),
    )


def _impact(action: Action) -> str:
    words = {
        name: to_seoul_time(value) if isinstance(value, str) else value
        for name, value in action.call.args.items()
    }
    try:
        return t(f"tools.{action.call.tool}.impact", **words)
    except KeyError:
        return t("web.summary.no_impact", tool=tool_title(action.call.tool))
