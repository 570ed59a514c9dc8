"""Schemas of findings: what a tool may report of a server, with bounds.

A server is not trusted to answer sensibly. What a tool reads becomes findings only if it fits the
tool's schema; anything else is "unreadable", with a bounded excerpt of what was seen as evidence.
Every text, number and list of a schema is bounded, which `require_bounded` enforces for each tool.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from guardia.errors import ProgrammerError
from guardia.personal_numbers import mask_resident_numbers
from guardia.text import is_blank
from guardia.tools.output import sanitize

_FIRST_YEAR, _LAST_YEAR = 1900, 9999
"""A certificate without an end is valid until 9999."""
_MAX = 2**53
"""Largest number that every reader of JSON keeps exactly."""


_RANGE = (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum"))
_BOUNDS = {
    "null": (),
    "boolean": (),
    "string": (("maxLength",),),
    "integer": _RANGE,
    "number": _RANGE,
}
"""Keywords of JSON schema that bound a type; one of each group."""


class FindingsModel(BaseModel):
    """Findings of a tool: strict types, no unknown fields, everything bounded."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Done(FindingsModel):
    """Findings of a change whose success says everything."""

    done: bool


def _visible(text: str) -> str:
    if is_blank(text):
        raise ValueError("nothing of it is visible")
    return text


def _moment(text: str) -> str:
    if not _FIRST_YEAR <= datetime.fromisoformat(text).year <= _LAST_YEAR:
        raise ValueError("a year out of range")
    return text


# JSON escapes carry control characters past the cleaning of the output, so texts are cleaned again.
Word = Annotated[
    str, StringConstraints(max_length=100), AfterValidator(sanitize), AfterValidator(_visible)
]
"""A name that sentences contain, so it may not be empty."""
Line = Annotated[
    str,
    StringConstraints(max_length=1000),
    AfterValidator(sanitize),
    AfterValidator(mask_resident_numbers),
]
"""A line of text; may be empty."""
FilePath = Annotated[str, StringConstraints(max_length=4096), AfterValidator(_visible)]
"""A name that may become an argument, so nothing in it is masked."""
Moment = Annotated[str, StringConstraints(max_length=40), AfterValidator(_moment)]
"""A time in ISO 8601."""
Count = Annotated[int, Field(ge=0, le=_MAX)]
"""A number of things, bytes or kilobytes."""
Share = Annotated[int, Field(ge=0, le=1_000_000)]
"""Percent; more than 100 of a quota or of a load."""
Pid = Annotated[int, Field(ge=1, lt=2**31)]
Seconds = Annotated[float, Field(ge=0, le=1e10)]


def require_bounded(tool: str, findings: object) -> type[FindingsModel]:
    """Return a schema. Raises `ProgrammerError` if it is none or lacks a bound."""
    if not (isinstance(findings, type) and issubclass(findings, FindingsModel)):
        raise ProgrammerError(why=f"{tool} has no schema of its findings")
    schema = findings.model_json_schema()
    unbounded = _unbounded(schema) + [
        path for part in schema.get("$defs", {}).values() for path in _unbounded(part)
    ]
    if unbounded:
        raise ProgrammerError(why=f"findings of {tool} without a bound: {', '.join(unbounded)}")
    return findings


def _unbounded(schema: dict[str, Any]) -> list[str]:
    """Return the fields of a JSON schema that an answer can make as large or deep as it likes."""
    if schema.get("additionalProperties") is not False:
        return [str(schema.get("title"))]
    return [name for name, field in schema["properties"].items() if not _is_bounded(field)]


def _is_bounded(field: dict[str, Any]) -> bool:
    if "anyOf" in field:
        return all(map(_is_bounded, field["anyOf"]))
    if "$ref" in field or "enum" in field or "const" in field:
        return True
    kind = field.get("type")
    if kind == "array":
        return "maxItems" in field and _is_bounded(field["items"])
    return kind in _BOUNDS and all(not field.keys().isdisjoint(keys) for keys in _BOUNDS[kind])
