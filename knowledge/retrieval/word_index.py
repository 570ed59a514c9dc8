"""BM25 over words, and over pieces of words that survive a typing error."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from guardia.knowledge.retrieval.vectors import Scores

MOST_FOR_PIECES = 10_000
"""Texts up to which pieces are indexed: they take ten times the memory of the words."""
_PIECE = 4
_LEAST_TEXTS = 131
"""Size of the collection to which the gate was fitted."""


class WordIndex:
    """BM25 scores of a fixed list of texts, each a list of words."""

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        self._texts = texts
        self._counts = Counter(chain.from_iterable(map(frozenset, texts)))
        self._bm25 = _indexed([list(words) for words in texts])

    def scores(self, words: Iterable[str]) -> Scores:
        """Return one score per text, in their order; 0 if it shares no word."""
        return _scores(self._bm25, len(self._texts), words)

    def strangeness(self, words: Collection[str]) -> float:
        """Return the share of words that no text has; in a few texts that means little."""
        missing = sum(word not in self._counts for word in words) / (len(words) or 1)
        return missing * min(1.0, len(self._texts) / _LEAST_TEXTS)

    def weight(self, words: Iterable[str]) -> float:
        """Return how much words say, in units of a word that no text has: rare words say more.

        In a few texts on one subject its words would say nothing, so they are counted as if they
        were in a larger collection.
        """
        size = max(len(self._texts), _LEAST_TEXTS) + 1
        each = (math.log(size / (self._counts.get(w, 0) + 0.5)) for w in set(words))
        return sum(each) / math.log(size / 0.5)

    def shared(self, position: int, words: Collection[str]) -> list[str]:
        """Return those of the words that a text has."""
        held = frozenset(self._texts[position])
        return [word for word in words if word in held]


class PieceIndex:
    """BM25 scores over pieces of words, which survive a typing error."""

    def __init__(self, texts: Sequence[str]) -> None:
        known: dict[str, str] = {}  # each piece once in memory, however often it occurs
        self._size = len(texts)
        self._bm25 = _indexed([[known.setdefault(p, p) for p in pieces(text)] for text in texts])

    def scores(self, text: str) -> Scores:
        """Return one score per text, in their order."""
        return _scores(self._bm25, self._size, pieces(text))


def pieces(text: str) -> list[str]:
    """Return overlapping pieces of four letters, without spaces: `만뇨` and `만료` share most."""
    letters = unicodedata.normalize("NFD", "".join(text.lower().split()))
    return [letters[at : at + _PIECE] for at in range(len(letters) - _PIECE + 1)]


def _indexed(texts: list[list[str]]) -> Any:
    """Return the BM25 index of texts, or `None` if they have no words."""
    from bm25s import BM25  # imported late: it would cost every CLI call 0.2 s

    if not any(texts):
        return None
    bm25 = BM25()
    bm25.index(texts, show_progress=False)
    return bm25


def _scores(bm25: Any, size: int, words: Iterable[str]) -> Scores:
    known = [word for word in words if word in bm25.vocab_dict] if bm25 is not None else []
    if not known:
        return np.zeros(size, np.float32)
    found: Scores = bm25.get_scores(known)
    return found
