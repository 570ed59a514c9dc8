"""Validate a file of people, as YAML, with line and reason of each fault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml.nodes import Node

from guardia.errors import Invalid, Misconfigured
from guardia.i18n import t
from guardia.org import chart_yaml


@dataclass(frozen=True, slots=True)
class YamlProblem:
    """One thing to correct in a file."""

    line: int
    column: int
    path: str
    text: str

    def __str__(self) -> str:
        at = t("org.chart.at", line=self.line, column=self.column)
        return f"{at} {self.path}: {self.text}" if self.path else f"{at}: {self.text}"


def require_valid(model: type[BaseModel], text: str, name: str) -> None:
    """Raise `Invalid` with line and reason of every fault of a text."""
    try:
        problems = find_problems(model, text, name)
    except Misconfigured as error:  # no YAML: a fault of this text, not of the installation
        what, why = error.detail["what"], error.detail["why"]
        raise Invalid(what=what, why=why, field="text") from error
    if problems:
        raise Invalid(what=name, why="\n".join(map(str, problems)), field="text")


def find_problems(model: type[BaseModel], text: str, name: str) -> list[YamlProblem]:
    """Return the faults of a text in its order. Raises `Misconfigured` if it is no YAML."""
    root, data = chart_yaml.load_with_nodes(text, name)
    try:
        model.model_validate(data)
    except ValidationError as error:
        return sorted(_problems(root, error), key=lambda one: (one.line, one.column))
    return []


def _problems(root: Node, error: ValidationError) -> Iterator[YamlProblem]:
    faults = error.errors(include_url=False)
    for fault in faults:
        if fault["type"] == "too_short" and any(
            one["loc"][: len(fault["loc"])] == fault["loc"] for one in faults if one is not fault
        ):
            continue  # only because its invalid entries were left out
        path = tuple(step for step in fault["loc"] if step not in ("function-after",))
        unknown = fault["type"] == "extra_forbidden"
        mark = chart_yaml.locate(root, path, key=unknown).start_mark
        yield YamlProblem(
            mark.line + 1, mark.column + 1, ".".join(str(step) for step in path), _why(fault)
        )


def _why(fault: Any) -> str:
    if fault["type"] == "value_error":
        return str(fault["ctx"]["error"])
    known = {
        "missing": "forms.wrong.missing",
        "extra_forbidden": "forms.wrong.unknown",
        "string_pattern_mismatch": "forms.wrong.id",
        "literal_error": "forms.wrong.literal",
        "string_too_long": "forms.wrong.long",
    }
    key = known.get(fault["type"])
    if key is None:
        return str(fault["msg"])[:200]
    return t(key, expected=(fault.get("ctx") or {}).get("expected", ""))
