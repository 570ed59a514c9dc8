"""Everything that is wrong with a chart, each with its place in the text and what to do."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml.nodes import Node

from guardia.i18n import t
from guardia.org import chart_schema, chart_yaml
from guardia.org.consistency import ChartPath, Inconsistency, find_inconsistencies

_EMPTY_PARTS: dict[str, Any] = {"company": {"name": "-"}, "agents": [], "approvals": {}}
"""What stands for a part of the file that is missing, so that the others are looked at."""
_BY_ID: tuple[ChartPath, ...] = (("agents",), ("talk", "rules"))
"""Lists whose entries have an id."""
_MAX_ROUNDS = 12
_MAX_SHOWN = 60
_MESSAGE_KEYS = {
    "missing": "missing",
    "extra_forbidden": "unknown",
    "literal_error": "choice",
    "string_pattern_mismatch": "pattern",
    "string_type": "text",
    "greater_than": "more",
    "greater_than_equal": "least",
    "less_than": "less",
    "less_than_equal": "most",
    "too_short": "few",
    "too_long": "many",
    "string_too_long": "long",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "whole"),
    **dict.fromkeys(("float_type", "float_parsing"), "number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "truth"),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "mapping"),
    **dict.fromkeys(("tuple_type", "list_type"), "list"),
}
"""Our sentence for pydantic's kinds of error; what is not here gets pydantic's own words."""


@dataclass(frozen=True, slots=True)
class ChartProblem:
    """One thing to correct. Lines and columns count from 1."""

    line: int
    column: int
    path: str
    text: str

    def __str__(self) -> str:
        at = t("org.chart.at", line=self.line, column=self.column)
        return f"{at} {self.path}: {self.text}" if self.path else f"{at}: {self.text}"


def find_problems(model: type[BaseModel], text: str) -> list[ChartProblem]:
    """All faults of a text that is YAML, in its order."""
    data = chart_yaml.load(text)
    root = chart_yaml.compose(text)
    rest, errors, incomplete = _validate_partially(model, data)
    found = [
        _problem(root, e["loc"], _message(model, e), e["type"])
        for e in _without_consequential(errors)
    ]
    if rest is not None:
        agreed: Iterator[Inconsistency] = find_inconsistencies(rest)  # type: ignore[arg-type]
        found += [_problem(root, d.path, d.text) for d in agreed if d.path[0] not in incomplete]
    return sorted(dict.fromkeys(found), key=lambda f: (f.line, f.column))


def _without_consequential(errors: list[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Without lists that are too short only because entries of theirs do not hold."""
    for error in errors:
        path = error["loc"]
        inner = (e["loc"] for e in errors if e is not error)
        if error["type"] != "too_short" or all(i[: len(path)] != path for i in inner):
            yield error


def locate_inconsistencies(text: str, found: Iterable[Inconsistency]) -> list[ChartProblem]:
    """Disagreements with something outside of the chart, as faults of its text."""
    root = chart_yaml.compose(text)
    return sorted((_problem(root, d.path, d.text) for d in found), key=lambda f: (f.line, f.column))


def _validate_partially(
    model: type[BaseModel], data: Any
) -> tuple[BaseModel | None, list[ErrorDetails], set[str | int]]:
    """What of the chart holds by itself, the errors of the rest, and which lists lost an entry."""
    rest, first = copy.deepcopy(data), list[ErrorDetails]()
    incomplete: set[str | int] = set()
    for _ in range(_MAX_ROUNDS):
        try:
            return model.model_validate(rest), first, incomplete
        except ValidationError as error:
            found = error.errors()
        # Later rounds only meet what the cuts of the first have left behind.
        first = first or found
        ways = {_existing_path(rest, e["loc"]) for e in found} - {()}
        for name in {e["loc"][0] for e in found if e["type"] == "missing" and len(e["loc"]) == 1}:
            rest[name] = copy.deepcopy(_EMPTY_PARTS.get(str(name)))
            incomplete.add(name)
        for way in sorted(ways, key=_removal_order, reverse=True):
            holder: Any = chart_yaml.value_at(rest, way[:-1])
            incomplete |= {way[0]} if isinstance(holder, list) else set()
            holder.pop(way[-1])
    return None, first, incomplete


def _existing_path(data: Any, loc: ChartPath) -> ChartPath:
    """The way to what an error is about, or to what lacks it."""
    way, node = list[str | int](), data
    for step in loc:
        if (isinstance(node, dict) and step in node) or (
            isinstance(node, list) and isinstance(step, int) and step < len(node)
        ):
            way.append(step)
            node = chart_yaml.value_at(node, (step,))
    return tuple(way)


def _removal_order(way: ChartPath) -> list[tuple[int, str]]:
    return [(step, "") if isinstance(step, int) else (-1, step) for step in way]


def _problem(root: Node, path: ChartPath, text: str, kind: str = "") -> ChartProblem:
    mark = chart_yaml.locate(root, path, key=kind == "extra_forbidden").start_mark
    return ChartProblem(mark.line + 1, mark.column + 1, _readable_path(root, path), text)


def _readable_path(root: Node, path: ChartPath) -> str:
    """The place as people say it: agents and rules by id."""
    steps = [str(step) for step in path]
    for at, step in enumerate(path):
        if isinstance(step, int) and path[:at] in _BY_ID:
            known = chart_yaml.child(chart_yaml.locate(root, path[: at + 1]), "id")
            steps[at] = str(getattr(known, "value", step + 1))
    return ".".join(steps)


def _message(model: type[BaseModel], error: ErrorDetails) -> str:
    given = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(given["error"])
    key = _MESSAGE_KEYS.get(error["type"])
    if key is None:
        return t("org.fault.other", problem=error["msg"])
    words = {name: str(value) for name, value in given.items()}
    words |= {"name": str(error["loc"][-1]) if error["loc"] else "", "value": _shortened(error)}
    if key == "choice":
        words["known"] = words.get("expected", "").replace(" or ", ", ")
    if key == "unknown":
        words |= _alternatives(model, error["loc"])
    return t(f"org.fault.{key}", **words)


def _shortened(error: ErrorDetails) -> str:
    text = str(error["input"])
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _alternatives(model: type[BaseModel], loc: ChartPath) -> dict[str, str]:
    """What could have been meant where a name is not known."""
    known = chart_schema.field_names_at(model, loc[:-1])
    close = difflib.get_close_matches(str(loc[-1]).lower(), known, n=1)
    meant = t("org.fault.meant", name=close[0]) if close else ""
    return {"known": ", ".join(known), "meant": meant}
