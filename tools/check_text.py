"""Describe which part of a check failed: "응답 코드 500(기대값 200)"."""

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
    r"(?P<not>!?)\(?(?P<name>\w+)\)?(?: *(?P<sign>[=!]=|[<>]=?) *`(?P<value>[^`]*)`)?"
)


def describe_failure(expect: str, findings: Mapping[str, Any]) -> str | None:
    """Return the failed terms of a conjunction, or `None` if `expect` is more than that."""
    parts = []
    for text in re.split(r" *&& *", expect.strip()):
        term = _TERM.fullmatch(text)
        if (
            term is None
            or term["name"] not in findings
            or isinstance(findings[term["name"]], list | dict)
        ):
            return None
        value = findings[term["name"]]
        if not _is_true(term, value):
            field, expected = _field(term["name"]), _expected(term)
            parts.append(t("gate.term", field=field, found=_plain(value), expect=expected))
    return ", ".join(parts) or None


def _is_true(term: re.Match[str], value: Any) -> bool:
    if term["sign"] is None:
        return bool(value) is not bool(term["not"])
    expected = term["value"].strip('"')
    try:
        return bool(_COMPARE[term["sign"]](float(value), float(expected)))
    except (TypeError, ValueError):
        is_same = str(value) == expected
        return is_same if term["sign"] == "==" else not is_same


def _expected(term: re.Match[str]) -> str:
    if term["sign"] is None:
        return _plain(not term["not"])
    expected = term["value"].strip('"')
    return expected if term["sign"] == "==" else f"{term['sign']} {expected}"


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
