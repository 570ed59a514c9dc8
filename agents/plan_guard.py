"""Guard against filing a plan again that people have returned, and the answers to them. Pure."""

from __future__ import annotations

from guardia.agents import change_request
from guardia.board.core.labels import to_seoul_time
from guardia.board.core.plan import Plan
from guardia.board.execution.view import PlanGuidance
from guardia.i18n import t
from guardia.tools import choices


def is_refused(plan: Plan, guidance: PlanGuidance) -> bool:
    """Return whether a plan means the same as one that people have returned or replaced."""
    if guidance.returned is None:
        return False
    refused = (*guidance.excluded, *guidance.replaced)
    return any(choices.meaning(plan) == choices.meaning(other) for other in refused)


def answer(guidance: PlanGuidance) -> str:
    """Return the answer to people whose request changes nothing."""
    wanted = guidance.requests[-1] if guidance.requests else "-"
    return t("agents.same_plan_again" if guidance.again else "agents.same_plan", wanted=wanted)


def revised(plan: Plan, guidance: PlanGuidance) -> str:
    """Return the answer to people for whom a plan was changed; empty if none was returned."""
    before = guidance.returned
    if before is None:
        return ""
    calls = [a.call for a in before.actions], [a.call for a in plan.actions]
    found = [
        t("agents.changed", what=name, before=old, after=new)
        for name, old, new in change_request.described(*calls)
    ]
    if plan.not_before and plan.not_before != before.not_before:
        found.append(t("agents.starts", at=to_seoul_time(plan.not_before)))
    if not found:
        return t("agents.replanned")
    return t("agents.revised", changes=", ".join(found))
