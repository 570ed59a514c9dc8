"""The grammar of the issue filter, as GitHub writes it: `is:open -label:"a b" 느려요`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from guardia.i18n import catalogue
from guardia.text import fold, is_blank

KEYS = (
    "is", "status", "assignee", "author", "involves", "mentions", "commenter",
    "institution", "server", "priority", "category", "kind", "agent", "parent", "goal", "no", "has",
    "created", "updated", "closed", "due", "sort",
)  # fmt: skip
FIGURE_KEYS = ("task", "urgent")
"""Keys of the addresses behind figures of the dashboard; not offered to people."""
SYNONYMS = MappingProxyType({"requester": "author", "state": "is", "type": "kind"})
MAX_TERMS = 20
_TERM = re.compile(r'-?(?:[^\s"“”]+|["“”][^"“”]*(?:["“”]|$))+')
_KEY = re.compile(r"([A-Za-z][A-Za-z-]*|[가-힣]+):(?!//)(.*)", re.DOTALL)
_QUOTES = '"“”'
_PIECE = re.compile(r'((?:[^,"“”]|["“”][^"“”]*["“”]?)*)(?:,|$)')


@dataclass(frozen=True, slots=True)
class Term:
    """A word of the filter, or a key with its values, of which one must fit."""

    written: str
    key: str = ""
    values: tuple[str, ...] = ()
    negated: bool = False

    @property
    def text(self) -> str:
        """The searched word of a term without a key."""
        return self.values[0]


@dataclass(frozen=True, slots=True)
class FilterProblem:
    """A term that means nothing: its text `issues.problem.<name>` says what to write instead."""

    written: str
    name: str
    words: dict[str, str] = field(default_factory=dict)


def parse(words: str) -> tuple[list[Term], list[FilterProblem]]:
    """Return the terms of a filter, and those that cannot be read."""
    terms: list[Term] = []
    problems: list[FilterProblem] = []
    for written in _split(words):
        found = _read(written)
        if isinstance(found, Term):
            terms.append(found)
        elif found is not None:
            problems.append(found)
    if len(terms) > MAX_TERMS:
        problems.append(
            FilterProblem(terms[MAX_TERMS].written, "too_many", {"most": str(MAX_TERMS)})
        )
    return terms[:MAX_TERMS], problems


def _split(words: str) -> Iterator[str]:
    for found in _TERM.finditer(words):
        if not is_blank(found[0]):
            yield found[0]


def _read(written: str) -> Term | FilterProblem | None:
    if sum(written.count(quote) for quote in _QUOTES) % 2:
        return FilterProblem(written, "quote")
    negated = written.startswith("-") and len(written) > 1
    rest = written[1:] if negated else written
    found = _KEY.fullmatch(fold(rest)) if rest[0] not in _QUOTES else None
    if found is None or not found[2]:
        text = _unquoted(rest)
        return None if is_blank(text) else Term(written, "", (text,), negated)
    key = key_named(found[1])
    if key is None:
        return FilterProblem(written, "key", {"key": found[1], "near": _near(found[1])})
    values = tuple(_unquoted(m[1]) for m in _PIECE.finditer(found[2]) if m[1])
    if not values or any(is_blank(value) for value in values):
        return FilterProblem(written, "value", {"key": key})
    return Term(written, key, values, negated)


def _unquoted(text: str) -> str:
    return "".join(c for c in text if c not in _QUOTES).strip()


def key_named(name: str) -> str | None:
    """Return the key that a person writes in English or Korean, or `None`."""
    low = name.lower()
    return low if low in (*KEYS, *FIGURE_KEYS) else SYNONYMS.get(low) or _korean_keys().get(name)


@cache
def _korean_keys() -> dict[str, str]:
    """Return the keys by their Korean names, in any language of the page."""
    names: dict[str, str] = catalogue("ko", "issues")["key"]
    return {name: key for key, name in names.items()}


def _near(name: str) -> str:
    """Return the key that was probably meant, or all of them."""
    from difflib import get_close_matches

    known = [*KEYS, *SYNONYMS, *_korean_keys()]
    found = get_close_matches(name.lower(), known, 1, 0.7)
    return found[0] + ":" if found else ", ".join(f"{key}:" for key in KEYS)


def quoted(value: str) -> str:
    """Return a value as it is written in a filter."""
    return f'"{value}"' if re.search(r"[\s,:]", value) or value.startswith("-") else value
