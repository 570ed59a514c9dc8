"""Ranges of host names in Ansible inventories: `web[01:10]`, `db-[a:f]`, `app[0:10:2]`. Pure."""

from __future__ import annotations

import re
from itertools import product

_RANGE = re.compile(r"\[(\w+):(\w+)(?::(\d+))?\]")
MAX_NAMES = 20_000


class BadRange(ValueError):
    """A range that names no hosts, or too many."""


def expand(pattern: str) -> list[str]:
    """Return the names of a pattern. Raises `BadRange`."""
    parts: list[list[str]] = []
    end, count = 0, 1
    for match in _RANGE.finditer(pattern):
        names = _steps(match[1], match[2], int(match[3] or 1))
        count *= len(names)
        if count > MAX_NAMES:
            raise BadRange(pattern)
        parts += [[pattern[end : match.start()]], names]
        end = match.end()
    parts.append([pattern[end:]])
    found = ["".join(words) for words in product(*parts)]
    if any("[" in name or "]" in name for name in found[:1]):
        raise BadRange(pattern)
    return found


def _steps(first: str, last: str, step: int) -> list[str]:
    if step < 1 or max(len(first), len(last)) > 9:
        raise BadRange(f"{first}:{last}")
    if first.isdecimal() and last.isdecimal():
        # As in Ansible: a leading zero gives all numbers the same width.
        width = len(first) if first.startswith("0") else 0
        if width and len(last) != width:
            raise BadRange(f"{first}:{last}")
        numbers = range(int(first), int(last) + 1, step)
        if not numbers or len(numbers) > MAX_NAMES:
            raise BadRange(f"{first}:{last}")
        return [f"{number:0{width}d}" for number in numbers]
    if len(first) == len(last) == 1 and first.isalpha() and last.isalpha() and first <= last:
        return [chr(code) for code in range(ord(first), ord(last) + 1, step)]
    raise BadRange(f"{first}:{last}")
