"""Differences between two plans of a task, as people read them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from guardia.board.core.plan import Action, Plan
from guardia.i18n import t


@dataclass(frozen=True, slots=True)
class PlanChange:
    """One difference: an argument of an action, or a whole action."""

    kind: str
    """`changed`, `added` or `removed`."""
    tool: str
    effect: str
    """What the action does, in the plan that has it; the new one for a changed argument."""
    argument: str = ""
    before: str = ""
    after: str = ""


def plan_changes(
    before: Plan, after: Plan, generated: Callable[[str], frozenset[str]]
) -> tuple[PlanChange, ...]:
    """Return what differs, without the arguments that a tool makes up for each plan.

    `generated` returns the names of those arguments by tool.
    """
    return tuple(_changes(before, after, generated))


def _changes(
    before: Plan, after: Plan, generated: Callable[[str], frozenset[str]]
) -> Iterator[PlanChange]:
    old_tools, new_tools = _tools(before), _tools(after)
    matcher = SequenceMatcher(None, old_tools, new_tools, autojunk=False)
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        old, new = before.actions[old_from:old_to], after.actions[new_from:new_to]
        if kind == "equal":
            for one, other in zip(old, new, strict=True):
                yield from _arguments(one, other, generated(one.call.tool))
            continue
        yield from (PlanChange("removed", a.call.tool, a.effect) for a in old)
        yield from (PlanChange("added", a.call.tool, a.effect) for a in new)
    if before.not_before != after.not_before:
        times = (before.not_before or "", after.not_before or "")
        yield PlanChange("changed", "", "", "not_before", *times)
    known = {(e.rule, e.version, e.hash) for e in before.exceptions}
    for exception in after.exceptions:
        if (exception.rule, exception.version, exception.hash) not in known:
            yield PlanChange("added", "", t("rules.excepted", sentence=exception.sentence))


def _tools(plan: Plan) -> list[str]:
    return [action.call.tool for action in plan.actions]


def _arguments(old: Action, new: Action, generated: frozenset[str]) -> Iterator[PlanChange]:
    names = dict.fromkeys([*old.call.args, *new.call.args])
    for name in names:
        before, after = old.call.args.get(name), new.call.args.get(name)
        if before != after and name not in generated:
            yield PlanChange(
                "changed", new.call.tool, new.effect, name, _text(before), _text(after)
            )


def _text(value: object) -> str:
    return "" if value is None else str(value)
