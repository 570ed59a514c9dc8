"""Permitted values of a call's arguments, as the evidence of a diagnosis lists them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

import jmespath
from jmespath.exceptions import JMESPathError

from guardia.board.core.labels import label
from guardia.board.core.plan import Plan, ToolCall
from guardia.board.core.planner import ReadEvidence
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.tools import catalog
from guardia.tools.tool import EvidenceChoice, Tool

_MAX_SHOWN = 10


def meaning(plan: Plan) -> tuple[Any, ...]:
    """Return what a plan would do: equal for plans that differ only in generated arguments."""
    return (plan.server, plan.not_before, *(meaning_of_call(a.call) for a in plan.actions))


def meaning_of_call(call: ToolCall) -> tuple[str, dict[str, Any]]:
    """Return a call without its generated arguments."""
    generated = catalog.find(call.tool).args.generated
    return call.tool, {name: v for name, v in call.args.items() if name not in generated}


def rows(call: ToolCall, evidence: Sequence[ReadEvidence]) -> dict[str, list[dict[str, Any]]]:
    """Return by argument the values that the evidence permits, each with what follows from it.

    Arguments are left out if nothing that was read says anything about them.
    """
    tool = catalog.find(call.tool)
    found = {name: [{name: v} for v in values] for name, values in _literals(tool)}
    for choice in tool.choices:
        read = _last_read(choice, call, evidence)
        if read is not None:
            found[choice.argument] = [_row(choice, entry) for entry in read]
    return found


def _literals(tool: Tool[Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, field in tool.args.model_fields.items():
        if get_origin(field.annotation) is Literal:
            yield name, get_args(field.annotation)


def _last_read(
    choice: EvidenceChoice, call: ToolCall, evidence: Sequence[ReadEvidence]
) -> list[Any] | None:
    service = call.args.get("service")
    for read in reversed(evidence):
        same = read.args.get("service") in (None, service)
        if read.tool == choice.read and same and read.findings:
            listed = _search(choice.rows, read.findings)
            return [one for one in listed if one is not None] if isinstance(listed, list) else []
    return None


def _row(choice: EvidenceChoice, entry: Any) -> dict[str, Any]:
    paths = {choice.argument: choice.value, **choice.follows}
    return {name: _search(path, entry) for name, path in paths.items()}


def _search(path: str, data: Any) -> Any:
    try:
        return jmespath.search(path, data)
    except (JMESPathError, TypeError):
        return None


def completed(call: ToolCall, evidence: Sequence[ReadEvidence]) -> ToolCall:
    """Return a call with the arguments that follow from its chosen values.

    Raises `Invalid` if the evidence does not contain one of its values.
    """
    args = dict(call.args)
    for name, permitted in rows(call, evidence).items():
        chosen = [row for row in permitted if str(row[name]) == str(args.get(name))]
        if not chosen:
            raise _not_found(name, args.get(name), permitted)
        if any(all(str(args.get(k)) == str(v) for k, v in row.items()) for row in chosen):
            continue
        generated = catalog.find(call.tool).args.generated
        for follower in set(chosen[0]) - generated - {name}:
            if all(str(args.get(follower)) != str(row[follower]) for row in permitted):
                raise _not_found(follower, args.get(follower), permitted)
        args |= chosen[0]
    return call.model_copy(update={"args": args})


def _not_found(name: str, value: Any, permitted: list[dict[str, Any]]) -> Invalid:
    known = [str(row[name]) for row in permitted][:_MAX_SHOWN]
    why = t("tools.choice.not_found", value=value, known=", ".join(known) or "-")
    return Invalid(what=argument_label(name), why=why, argument=name)


def argument_label(name: str) -> str:
    """Return the label of an argument, or its name if it has none."""
    return label("web.field", name)


def permitted_values(
    call: ToolCall, evidence: Sequence[ReadEvidence]
) -> Mapping[str, tuple[str, ...]]:
    """Return the permitted values by argument, as a form offers them."""
    return {
        name: tuple(dict.fromkeys(str(row[name]) for row in permitted))
        for name, permitted in rows(call, evidence).items()
        if permitted
    }
