"""The part of GitHub's search syntax that the board's own filter does not have. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TERM = re.compile(r'-?(?:[^\s"]+|"[^"]*(?:"|$))+')
_KEY = re.compile(r"(-?)([A-Za-z-]+):(.+)", re.DOTALL)
_OWN = frozenset({"repo", "org", "user", "in", "type", "label", "comments", "reason", "milestone"})
_OWN_IS = frozenset({"issue", "pr", "locked", "unlocked", "public", "private", "archived"})
_OWN_NO = frozenset({"label", "milestone", "project"})
_SORTS = frozenset({"created", "updated", "comments"})


@dataclass(frozen=True, slots=True)
class SearchTerm:
    """One qualifier, such as `-label:"two words"`."""

    key: str
    value: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class SearchTerms:
    """A query: qualifiers that are read here, a sorting, and what the board's filter reads."""

    own: tuple[SearchTerm, ...] = ()
    sort: str = ""
    direction: str = ""
    rest: str = ""


@dataclass(slots=True)
class _Parts:
    own: list[SearchTerm] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    sort: tuple[str, str] = ("", "")


def parse(query: str) -> SearchTerms:
    """Return the terms of a query; what is not known here is left to the board's filter."""
    parts = _Parts()
    for found in _TERM.finditer(query):
        _read(found[0], parts)
    return SearchTerms(tuple(parts.own), *parts.sort, " ".join(parts.rest))


def _read(written: str, parts: _Parts) -> None:
    found = _KEY.fullmatch(written)
    if found is None:
        parts.rest.append(written)
        return
    sign, key, value = found[1], found[2].lower(), found[3].replace('"', "").strip()
    if key == "sort":
        parts.sort = _sort(value)
    elif key in _OWN or (key == "is" and value in _OWN_IS) or (key == "no" and value in _OWN_NO):
        parts.own.append(SearchTerm(key, value, bool(sign)))
    else:
        parts.rest.append(written)


def _sort(value: str) -> tuple[str, str]:
    name, _, direction = value.partition("-")
    if name not in _SORTS:
        return ("", "")
    return (name, direction if direction in {"asc", "desc"} else "desc")


def read_number(value: str) -> tuple[int, int] | None:
    """Return the bounds of `>3`, `>=3`, `<3`, `2..5`, `2..*` or `3`, or `None`."""
    found = re.fullmatch(r"(>=|<=|>|<)?(\d{1,9})|(\d{1,9}|\*)\.\.(\d{1,9}|\*)", value, re.ASCII)
    if found is None:
        return None
    if found[2] is None:
        low, high = found[3], found[4]
        return (0 if low == "*" else int(low), 10**9 if high == "*" else int(high))
    number = int(found[2])
    return {
        None: (number, number),
        ">": (number + 1, 10**9),
        ">=": (number, 10**9),
        "<": (0, number - 1),
        "<=": (0, number),
    }[found[1]]
