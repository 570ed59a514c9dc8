"""Read an answer to the question which server a request means. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from guardia.text import matching_form

_GAPS = re.compile(r"[\s\-_#·.,()]+")
_NUMBER = re.compile(r"\d+")
_LAST_NUMBER = re.compile(r"(\d+)\D*$")
_ORDINALS = ("첫", "두", "세", "네", "다섯")
_ORDINAL = re.compile(r"(첫|두|세|네|다섯)\s*(?:번\s*째|째)")
_UNKNOWN = re.compile(r"모르겠|모릅니다|몰라|모름|글쎄|don'?t know|no idea")
_ALL = re.compile(r"둘\s*다|전부|모두|(?:두|세|네)\s*대|(?:^|\s)다(?:요|입니다|예요)?\s*$")
_NOT = re.compile(r"아니|말고|빼고|제외|not\b|except")


@dataclass(frozen=True, slots=True)
class ServerChoice:
    """A server that a question offers."""

    server: str
    label: str
    names: tuple[str, ...] = ()
    """Other names under which people may write it."""


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """What an answer means: the servers, or that its writer does not know."""

    servers: tuple[str, ...] = ()
    unknown: bool = False


def read_answer(text: str, choices: Sequence[ServerChoice]) -> ReadAnswer:
    """Return which of the choices an answer names: by name, number, position, or all of them.

    Nothing is read out of an answer that negates something: it is asked again.
    """
    line = matching_form(text)
    if _UNKNOWN.search(line):
        return ReadAnswer(unknown=True)
    if _NOT.search(line):
        return ReadAnswer()
    named = _named(line, choices) or _numbered(line, choices)
    if not named and len(choices) > 1 and _ALL.search(line):
        named = [choice.server for choice in choices]
    return ReadAnswer(tuple(dict.fromkeys(named)))


def _named(line: str, choices: Sequence[ServerChoice]) -> list[str]:
    """Return the servers whose whole name is in the line; a longer name wins over a part of it."""
    packed = _packed(line)
    hits: list[tuple[int, int, str]] = []
    for choice in choices:
        for name in {choice.server, choice.label, *choice.names}:
            hits += [(start, end, choice.server) for start, end in _finds(packed, name)]
    outer = [h for h in hits if not any(_is_inside(h, other) for other in hits)]
    return [server for _, _, server in sorted(outer)]


def _finds(packed: str, name: str) -> list[tuple[int, int]]:
    wanted = _packed(matching_form(name))
    if not wanted:
        return []
    # A number at an edge must not be part of a longer one: "DB-1" is not in "DB-11".
    before = r"(?<!\d)" if wanted[0].isdigit() else ""
    after = r"(?!\d)" if wanted[-1].isdigit() else ""
    pattern = re.compile(before + re.escape(wanted) + after)
    return [match.span() for match in pattern.finditer(packed)]


def _is_inside(one: tuple[int, int, str], other: tuple[int, int, str]) -> bool:
    longer = other[1] - other[0] > one[1] - one[0]
    return longer and other[0] <= one[0] and one[1] <= other[1]


def _packed(text: str) -> str:
    return _GAPS.sub("", text)


def _numbered(line: str, choices: Sequence[ServerChoice]) -> list[str]:
    """Return the servers whose last number, or failing that whose position, the line gives."""
    if ordinal := _ORDINAL.search(line):
        position = _ORDINALS.index(ordinal[1])
        return [choices[position].server] if position < len(choices) else []
    wanted = [int(number) for number in _NUMBER.findall(line)]
    if not wanted or len(line) > _MOST_WITH_NUMBER:
        return []
    by_number: dict[int, list[str]] = {}
    for choice in choices:
        if found := _LAST_NUMBER.search(choice.label) or _LAST_NUMBER.search(choice.server):
            by_number.setdefault(int(found[1]), []).append(choice.server)
    named = [by_number.get(number, []) for number in wanted]
    if any(len(servers) != 1 for servers in named):
        return []
    return [servers[0] for servers in named]


_MOST_WITH_NUMBER = 20
"""A number in a longer line may be a time or a version."""
