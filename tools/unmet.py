"""Describe in words which part of a check does not hold: "응답 코드 500(기대값 200)"."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from typing import Any

from guardia.i18n import t

_COMPARE = {
    "==": operator.eq, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_TERM = re.compile(
    r"(?P<not>!?)\(?(?P<name>\w+)\)?(?: *(?P<sign>[=!]=|[<>]=?) *`(?P<want>[^`]*)`)?"
)


def describe(expect: str, found: Mapping[str, Any]) -> str | None:
    """The terms of a conjunction that do not hold; ``None`` if it is not that simple."""
    parts = []
    for text in re.split(r" *&& *", expect.strip()):
        term = _TERM.fullmatch(text)
        if (
            term is None
            or term["name"] not in found
            or isinstance(found[term["name"]], list | dict)
        ):
            return None
        value = found[term["name"]]
        if not _holds(term, value):
            parts.append(
                t(
                    "gate.term",
                    field=_field(term["name"]),
                    found=_plain(value),
                    expect=_wanted(term),
                )
            )
    return ", ".join(parts) or None


def _holds(term: re.Match[str], value: Any) -> bool:
    if term["sign"] is None:
        return bool(value) is not bool(term["not"])
    want = term["want"].strip('"')
    try:
        return bool(_COMPARE[term["sign"]](float(value), float(want)))
    except (TypeError, ValueError):
        same = str(value) == want
        return same if term["sign"] == "==" else not same


def _wanted(term: re.Match[str]) -> str:
    if term["sign"] is None:
        return _plain(not term["not"])
    want = term["want"].strip('"')
    return want if term["sign"] == "==" else f"{term['sign']} {want}"


def _field(name: str) -> str:
    try:
        return t(f"web.field.{name}")
    except KeyError:
        return name


def _plain(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return t("web.yes") if value else t("web.no")
    return str(value)
