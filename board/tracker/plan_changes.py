"""The difference between two plans of a task, in words: what was added, removed, changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from guardia.board.core.plan import Action, Check, Plan, ToolCall

Mark = Literal["same", "added", "removed"]
Change = Literal["same", "changed", "added", "removed"]
_WORD = re.compile(r"\s+|[^\s]+")
_MAX_WORDS = 2000
"""Longer texts are shown one after the other: comparing them takes quadratic time."""


@dataclass(frozen=True, slots=True)
class WordRun:
    """Words that are in both texts, only in the new, or only in the old one."""

    mark: Mark
    text: str


@dataclass(frozen=True, slots=True)
class ArgumentChange:
    """An argument with another value; `None` if one of the plans has no such argument."""

    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class ActionChange:
    """An action of either plan, compared with its counterpart."""

    change: Change
    tool: str
    words: tuple[WordRun, ...]
    """Its effect, word by word."""
    arguments: tuple[ArgumentChange, ...] = ()
    command: tuple[WordRun, ...] = ()
    """The command, if it differs."""
    is_reversible: bool = True


@dataclass(frozen=True, slots=True)
class PlanChanges:
    """Everything in which a plan differs from an earlier one."""

    actions: tuple[ActionChange, ...]
    because: tuple[WordRun, ...]
    """The diagnosis, word by word; empty if it is the same."""
    verify: tuple[WordRun, ...]
    """The final checks, word by word; empty if they are the same."""
    category: ArgumentChange | None = None


def compare_plans(old: Plan, new: Plan) -> PlanChanges:
    """Return the difference between two plans."""
    category = None
    if old.category != new.category:
        category = ArgumentChange("category", old.category, new.category)
    return PlanChanges(
        actions=tuple(_compare_actions(old.actions, new.actions)),
        because=_differing_words(old.because, new.because),
        verify=_differing_words(_checks_text(old.verify), _checks_text(new.verify)),
        category=category,
    )


def compare_words(old: str, new: str) -> tuple[WordRun, ...]:
    """Return both texts as one sequence of common, added and removed words."""
    before, after = _WORD.findall(old), _WORD.findall(new)
    if len(before) + len(after) > _MAX_WORDS:
        return (WordRun("removed", old), WordRun("added", new))
    runs: list[WordRun] = []
    for tag, i, j, k, m in SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes():
        if tag == "equal":
            runs.append(WordRun("same", "".join(before[i:j])))
            continue
        if i < j:
            runs.append(WordRun("removed", "".join(before[i:j])))
        if k < m:
            runs.append(WordRun("added", "".join(after[k:m])))
    return tuple(runs)


def _differing_words(old: str, new: str) -> tuple[WordRun, ...]:
    return compare_words(old, new) if old != new else ()


def _compare_actions(old: Sequence[Action], new: Sequence[Action]) -> Iterator[ActionChange]:
    """Pair the actions of the same tool in order; what has no counterpart was added or removed."""
    before, after = [a.call.tool for a in old], [a.call.tool for a in new]
    for tag, i, j, k, m in SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes():
        if tag == "equal":
            pairs = zip(old[i:j], new[k:m], strict=True)
            yield from (_compare_action(one, other) for one, other in pairs)
            continue
        yield from (_whole_action("removed", action) for action in old[i:j])
        yield from (_whole_action("added", action) for action in new[k:m])


def _whole_action(change: Literal["added", "removed"], action: Action) -> ActionChange:
    words = (WordRun(change, action.effect),)
    return ActionChange(change, action.call.tool, words, is_reversible=action.irreversible is None)


def _compare_action(old: Action, new: Action) -> ActionChange:
    is_reversible = new.irreversible is None
    if old == new:
        words = (WordRun("same", new.effect),)
        return ActionChange("same", new.call.tool, words, is_reversible=is_reversible)
    return ActionChange(
        "changed",
        new.call.tool,
        compare_words(old.effect, new.effect),
        tuple(_compare_arguments(old.call, new.call)),
        _differing_words(_all_commands(old), _all_commands(new)),
        is_reversible,
    )


def _compare_arguments(old: ToolCall, new: ToolCall) -> Iterator[ArgumentChange]:
    for name in dict.fromkeys((*old.args, *new.args)):
        before, after = (call.args.get(name) for call in (old, new))
        if before != after:
            yield ArgumentChange(name, *(None if v is None else str(v) for v in (before, after)))


def _all_commands(action: Action) -> str:
    """Return what runs for an action: its command, its checks and its undo."""
    undo = f"\n↩ {_call_text(action.undo)}" if action.undo else ""
    checks = [_checks_text(c) for c in (action.precheck, action.verify, action.undo_verify)]
    return "\n".join(filter(None, (action.command, *checks))) + undo


def _checks_text(checks: Sequence[Check]) -> str:
    return "\n".join(
        f"{_call_text(c.call)}: {c.sentence} {c.expect} {c.within or ''}".rstrip() for c in checks
    )


def _call_text(call: ToolCall) -> str:
    return " ".join((call.tool, *(f"{name}={value}" for name, value in call.args.items())))
