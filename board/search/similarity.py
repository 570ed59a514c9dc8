"""Compare texts of issues by their pairs of characters; rare pairs count more. Pure."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping

LEAST = 0.18
"""Similarity from which two issues are about the same: see `docs/search.md`."""
_WORD = re.compile(r"[a-z0-9]+(?:[-._/][a-z0-9]+)*|[^\W_a-z0-9]+")
_POLITE = re.compile(
    "안녕하(?:세요|십니까)|감사합니다|수고하(?:세요|십니다)|(?:확인|검토|조치|처리)(?= *부탁)"
    "|부탁(?:드립니다|드려요|합니다|해요)?|요청(?:드립니다|합니다)?|문의(?:드립니다|합니다)?"
    "|바랍니다|주(?:세요|십시오|시기)|[드합입습]?니다"
)


def most_similar(text: str, others: Mapping[int, str], most: int) -> list[tuple[int, float]]:
    """Return the texts that are similar enough by their keys, the most similar first."""
    wanted = pairs(text)
    known = {key: pairs(other) for key, other in others.items()}
    counts = Counter(pair for found in known.values() for pair in found)
    size = len(known) + 1
    weight = {pair: math.log(1 + size / (counts[pair] + 0.5)) ** 2 for pair in {*counts, *wanted}}
    length = _length(wanted, weight)
    scored = (
        (key, sum(weight[pair] for pair in wanted & found) / (length * _length(found, weight)))
        for key, found in known.items()
        if found and wanted
    )
    near = [(key, round(score, 4)) for key, score in scored if score >= LEAST]
    return sorted(near, key=lambda one: (-one[1], -one[0]))[:most]


def pairs(text: str) -> frozenset[str]:
    """Return the pairs of neighbouring characters in each word, without what is only polite.

    Latin words and identifiers are kept whole.
    """
    found: set[str] = set()
    for word in _WORD.findall(_POLITE.sub(" ", text.lower())):
        if word.isascii():
            found.add(word)
        else:
            found.update(word[at : at + 2] for at in range(max(1, len(word) - 1)))
    return frozenset(found)


def _length(found: Iterable[str], weight: Mapping[str, float]) -> float:
    return math.sqrt(sum(weight[pair] for pair in found)) or 1.0
