"""The form of a line in which it is read: lower case, without blanks, with places in the original.

People leave out blanks and put them where none belong, so none is read. Recognized names, numbers,
times and quotations are replaced by one capital letter each (a mark), and the grammar is written
over the result.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

MAX_CHARACTERS = 500
"""Characters of a line that are read; a command is shorter."""


def _joins(before: str, after: str) -> bool:
    """Return whether two letters would read as one word or number without their blank."""
    return before.isascii() and after.isascii() and before.isalnum() and after.isalnum()


@dataclass(frozen=True, slots=True)
class Mark:
    """Something recognized: what it is, what it means, and where it was in the compact text."""

    sign: str
    value: Any
    begin: int
    end: int


@dataclass(slots=True)
class Compact:
    """A line without blanks; each character knows its place in the original."""

    original: str
    text: str
    places: list[int]
    _at: dict[int, Mark] = field(default_factory=dict)
    """The marks by their position in `text`."""

    @classmethod
    def of(cls, line: str) -> Compact:
        """Return the compact form of a line."""
        original = line[:MAX_CHARACTERS]
        letters: list[str] = []
        places: list[int] = []
        blank = False
        for place, raw in enumerate(unicodedata.normalize("NFC", original)):
            for letter in unicodedata.normalize("NFKC", raw).lower():
                if letter.isspace() or not letter.isprintable():
                    blank = True
                    continue
                if blank and letters and _joins(letters[-1], letter):
                    letters.append("_")  # two numbers are never one
                    places.append(place)
                blank = False
                letters.append(letter)
                places.append(place)
        return cls(unicodedata.normalize("NFC", original), "".join(letters), places)

    def replace(
        self, pattern: re.Pattern[str], read: Callable[[re.Match[str]], Mark | None]
    ) -> None:
        """Replace every match that `read` recognizes by the sign of its mark."""
        found = ((match, read(match)) for match in pattern.finditer(self.text))
        self.put(
            replace(mark, begin=match.start(), end=match.end())
            for match, mark in found
            if mark is not None
        )

    def put(self, marks: Iterable[Mark]) -> None:
        """Replace what each mark covers by its sign; what overlaps an earlier one is left."""
        self._rewrite((mark.begin, mark.end, mark.sign, mark) for mark in marks)

    def respell(self, pattern: re.Pattern[str], spelling: str) -> None:
        """Write every match in another way; each new letter has its place in the original.

        `spelling` may refer to groups of the pattern.
        """
        if pattern.search(self.text) is not None:
            found = pattern.finditer(self.text)
            self._rewrite((*match.span(), match.expand(spelling), None) for match in found)

    def _rewrite(self, changes: Iterable[tuple[int, int, str, Mark | None]]) -> None:
        """Replace spans of the text by other letters, the first of which may be a mark's sign."""
        text: list[str] = []
        places: list[int] = []
        at: dict[int, Mark] = {}
        last = 0

        def keep(begin: int, end: int) -> None:
            for position in range(begin, end):
                if (mark := self._at.get(position)) is not None:
                    at[len(text)] = mark
                text.append(self.text[position])
                places.append(self.places[position])

        for begin, end, letters, mark in changes:
            if begin < last:
                continue
            keep(last, begin)
            if mark is not None:
                at[len(text)] = mark
            text.extend(letters)
            places.extend(self.places[min(begin + i, end - 1)] for i in range(len(letters)))
            last = end
        keep(last, len(self.text))
        self.text, self.places, self._at = "".join(text), places, at

    def source(self, match: re.Match[str], group: int | str = 0) -> tuple[int, int]:
        """Return where a match is in the original."""
        begin, end = match.span(group)
        if begin == end:
            return self.places[begin] if begin < len(self.places) else len(self.original), 0
        return self.places[begin], self.places[end - 1] + 1

    def original_of(self, match: re.Match[str], group: int | str) -> str:
        """Return the original text of a group of a match."""
        begin, end = self.source(match, group)
        return self.original[begin:end].strip()

    def original_from(self, position: int) -> str:
        """Return the original text from a position of the compact text on."""
        place = self.places[position] if position < len(self.places) else len(self.original)
        return self.original[place:].strip()

    def mark_at(self, position: int) -> Mark:
        """Return the mark at a position that holds a sign."""
        return self._at[position]

    def all(self, sign: str) -> list[Mark]:
        """Return the marks of a kind, in order."""
        return [self._at[p] for p in sorted(self._at) if self._at[p].sign in sign]
