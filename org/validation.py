"""All problems of a chart, each with its position in the text and what to do."""

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
"""Substitutes for missing parts of the file, so that the other parts are checked too."""
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
"""Our text by pydantic's kind of error; other kinds show pydantic's own message."""


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
    """Return all problems of a text that is YAML, in text order."""
    data = chart_yaml.load(text)
    root = chart_yaml.compose(text)
    rest, errors, incomplete = _validate_partially(model, data)
    found = [
        _problem(root, e["loc"], _message(model, e), e["type"])
        for e in _without_consequential(errors)
    ]
    if rest is not None:
        contradictions: Iterator[Inconsistency] = find_inconsistencies(rest)  # type: ignore[arg-type]
        found += [
            _problem(root, c.path, c.text) for c in contradictions if c.path[0] not in incomplete
        ]
    return sorted(dict.fromkeys(found), key=lambda f: (f.line, f.column))


def _without_consequential(errors: list[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Drop errors of lists that are too short only because invalid entries were removed."""
    for error in errors:
        path = error["loc"]
        inner = (e["loc"] for e in errors if e is not error)
        if error["type"] != "too_short" or all(i[: len(path)] != path for i in inner):
            yield error


def locate_inconsistencies(text: str, found: Iterable[Inconsistency]) -> list[ChartProblem]:
    """Return contradictions with something outside the chart as problems of its text."""
    root = chart_yaml.compose(text)
    problems = (_problem(root, i.path, i.text) for i in found)
    return sorted(problems, key=lambda p: (p.line, p.column))


def _validate_partially(
    model: type[BaseModel], data: Any
) -> tuple[BaseModel | None, list[ErrorDetails], set[str | int]]:
    """Return the part of the chart that is valid on its own, and what was removed.

    That is the errors of the first round and the lists that lost an entry.
    """
    rest, first = copy.deepcopy(data), list[ErrorDetails]()
    incomplete: set[str | int] = set()
    for _ in range(_MAX_ROUNDS):
        try:
            return model.model_validate(rest), first, incomplete
        except ValidationError as error:
            found = error.errors()
        # Later rounds only report consequences of what the first round removed.
        first = first or found
        paths = {_existing_path(rest, e["loc"]) for e in found} - {()}
        for name in {e["loc"][0] for e in found if e["type"] == "missing" and len(e["loc"]) == 1}:
            rest[name] = copy.deepcopy(_EMPTY_PARTS.get(str(name)))
            incomplete.add(name)
        for path in sorted(paths, key=_removal_order, reverse=True):
            parent: Any = chart_yaml.value_at(rest, path[:-1])
            incomplete |= {path[0]} if isinstance(parent, list) else set()
            parent.pop(path[-1])
    return None, first, incomplete


def _existing_path(data: Any, loc: ChartPath) -> ChartPath:
    """Return the path of what an error is about, or of the parent that lacks it."""
    path, node = list[str | int](), data
    for step in loc:
        if (isinstance(node, dict) and step in node) or (
            isinstance(node, list) and isinstance(step, int) and step < len(node)
        ):
            path.append(step)
            node = chart_yaml.value_at(node, (step,))
    return tuple(path)


def _removal_order(path: ChartPath) -> list[tuple[int, str]]:
    return [(step, "") if isinstance(step, int) else (-1, step) for step in path]


def _problem(root: Node, path: ChartPath, text: str, kind: str = "") -> ChartProblem:
    mark = chart_yaml.locate(root, path, key=kind == "extra_forbidden").start_mark
    return ChartProblem(mark.line + 1, mark.column + 1, _readable_path(root, path), text)


def _readable_path(root: Node, path: ChartPath) -> str:
    """Return a path for people: agents and rules by id."""
    steps = [str(step) for step in path]
    for at, step in enumerate(path):
        if isinstance(step, int) and path[:at] in _BY_ID:
            known = chart_yaml.child(chart_yaml.locate(root, path[: at + 1]), "id")
            steps[at] = str(getattr(known, "value", step + 1))
    return ".".join(steps)


def _message(model: type[BaseModel], error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context["error"])
    key = _MESSAGE_KEYS.get(error["type"])
    if key is None:
        return t("org.fault.other", problem=error["msg"])
    words = {name: str(value) for name, value in context.items()}
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
    """Return the known names, and the closest match to an unknown one."""
    known = chart_schema.field_names_at(model, loc[:-1])
    close = difflib.get_close_matches(str(loc[-1]).lower(), known, n=1)
    meant = t("org.fault.meant", name=close[0]) if close else ""
    return {"known": ", ".join(known), "meant": meant}
