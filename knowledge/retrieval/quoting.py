"""Choose the sentences of a passage that answer a question, by their place in the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from guardia.knowledge.korean import tokens

Span = tuple[int, int]
"""Where a part begins and ends in a text."""

_BREAK = re.compile(r"(?<=[.!?。])\s+|\n+")
_MOST_SENTENCES = 2
_RULE = re.compile(r"[|\s:-]*\Z")  # the line below a table's header


def sentences(text: str) -> list[Span]:
    """Return the sentences of a text; each line of a table or list is one."""
    found, at = [], 0
    for gap in [*(m.span() for m in _BREAK.finditer(text)), (len(text), len(text))]:
        begin, end = _stripped(text, at, gap[0])
        if end > begin and not _RULE.match(text, begin, end):
            found.append((begin, end))
        at = gap[1]
    return found


def quotes(text: str, wanted: Iterable[str], weight: Callable[[list[str]], float]) -> list[Span]:
    """Return the sentences that share most with the given words, in reading order."""
    words = set(wanted)
    spans = sentences(text)
    rated = [(weight(sorted(words & set(tokens(text[b:e])))), (b, e)) for b, e in spans]
    best = sorted((r for r in rated if r[0] > 0), key=lambda r: (-r[0], r[1]))[:_MOST_SENTENCES]
    return sorted(span for _, span in best) or spans[:1]


def _stripped(text: str, begin: int, end: int) -> Span:
    piece = text[begin:end]
    begin += len(piece) - len(piece.lstrip())
    return begin, begin + len(piece.strip())
