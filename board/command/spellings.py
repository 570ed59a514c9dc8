"""Ways to write names, found in a line at a cost that does not grow with their number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_KEY = 2
"""Letters under which the lengths of spellings are kept."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way to write a name, and the ids that it may mean."""

    text: str
    sign: str
    ids: tuple[str, ...]


class Spellings:
    """The spellings of many names; the same spelling may mean several ids."""

    def __init__(self, spellings: Iterable[Spelling]) -> None:
        ids: dict[str, dict[str, None]] = {}
        signs: dict[str, str] = {}
        for spelling in spellings:
            if spelling.text:
                signs.setdefault(spelling.text, spelling.sign)
                ids.setdefault(spelling.text, {}).update(dict.fromkeys(spelling.ids))
        self._meanings = {text: (signs[text], tuple(found)) for text, found in ids.items()}
        lengths: dict[str, set[int]] = defaultdict(set)
        for text in self._meanings:
            lengths[text[:_KEY]].add(len(text))
        self._lengths = {key: tuple(sorted(found)[::-1]) for key, found in lengths.items()}

    def at(self, text: str, begin: int) -> Iterator[Spelling]:
        """Yield the spellings that begin at a position of a text, the longest first."""
        pair = text[begin : begin + _KEY]
        for key in (pair, pair[:1]) if len(pair) == _KEY else (pair,):
            for length in self._lengths.get(key, ()):
                found = text[begin : begin + length]
                if (meaning := self._meanings.get(found)) is not None:
                    yield Spelling(found, *meaning)
