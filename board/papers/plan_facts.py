"""What plans say for a paper: steps, impact, checks, backup and rollback. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from guardia.board.core.labels import check_sentence
from guardia.board.core.plan import Action, Check, Plan
from guardia.board.papers.paper import Value
from guardia.board.papers.wording import at_minute, call_text, lines, named
from guardia.board.tracker.plan_summary import summarize_plan
from guardia.i18n import t

_BACKUP = "backup."
"""Prefix of the tools that back something up."""


@dataclass(frozen=True, slots=True)
class PaperPlan:
    """A task with the plan that is in force."""

    plan: Plan
    plan_hash: str
    number: int | None
    """Number of the plan among those that were filed for the task."""
    starts_at: datetime | None
    author: str
    category: str


def plan_values(tasks: Sequence[PaperPlan]) -> dict[str, Value]:
    """Return the values of the plans of an issue."""
    plans = [task.plan for task in tasks]
    actions = [action for plan in plans for action in plan.actions]
    summaries = [summarize_plan(plan) for plan in plans]
    return {
        "cause": lines(plan.because for plan in plans),
        "basis": lines(_basis(plan) for plan in plans),
        "planned_at": lines(at_minute(t_.starts_at) or t("changes.conflict.now") for t_ in tasks),
        "plan_version": ", ".join(str(one.number) for one in tasks if one.number) or None,
        "plan_hash": lines(task.plan_hash[:16] for task in tasks),
        "author": lines(task.author for task in tasks),
        "policy": lines(named("web.policy", task.category) for task in tasks),
        "risk": t(f"web.risk.{max(plan.risk for plan in plans).name}") if plans else None,
        "impact": lines(text for one in summaries for text in one.impacts),
        "prechecks": lines(text for one in summaries for text in one.conditions),
        "verification": lines(text for one in summaries for text in one.confirmations),
        "reversible": lines(t(f"web.summary.reversible.{one.reversible}") for one in summaries),
        "rollback_when": lines(one.on_failure for one in summaries),
        "irreversible": lines(a.irreversible for a in actions if a.irreversible),
        "backup": lines(a.effect for a in actions if a.call.tool.startswith(_BACKUP)),
        "exceptions": lines(
            f"{one.rule}: {one.sentence} ({one.reason})" for p in plans for one in p.exceptions
        ),
    }


def plan_steps(tasks: Iterable[PaperPlan]) -> list[dict[str, Value]]:
    """Return the actions of the plans in their order."""
    steps = [(task.plan.server, action) for task in tasks for action in task.plan.actions]
    return [_step(no, server, action) for no, (server, action) in enumerate(steps, start=1)]


def _step(number: int, server: str, action: Action) -> dict[str, Value]:
    return {
        "no": number,
        "server": server,
        "step": action.effect,
        "command": action.command,
        "risk": t(f"web.risk.{action.risk.name}"),
        "undo": _undo(action),
        "precheck": _sentences(action.precheck),
        "check": _sentences(action.verify),
        "difference": action.difference,
    }


def _undo(action: Action) -> str:
    if action.undo is not None:
        return call_text(action.undo)
    return f"{t('web.plan.irreversible')}: {action.irreversible or ''}".removesuffix(": ")


def _sentences(checks: Iterable[Check]) -> str | None:
    return lines(check_sentence(check) for check in checks)


def _basis(plan: Plan) -> str:
    return f"{plan.citation.title} ({t('web.plan.version', version=plan.citation.version)})"
