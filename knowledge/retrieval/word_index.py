"""BM25 over words, and over pieces of words that survive a typing error."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from itertools import chain

import numpy as np

from guardia.knowledge.retrieval.vectors import Scores

MOST_FOR_PIECES = 20_000
"""Texts up to which pieces are indexed: they take ten times the memory of the words."""
_PIECE = 4


class WordIndex:
    """BM25 scores of a fixed list of texts, each a list of words."""

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        from bm25s import BM25  # imported late: it would cost every CLI call 0.2 s

        self._size = len(texts)
        self._holds: list[frozenset[str]] = [frozenset(words) for words in texts]
        counts: dict[str, int] = {}
        for word in chain.from_iterable(self._holds):
            counts[word] = counts.get(word, 0) + 1
        self._counts = counts
        self._bm25 = BM25() if counts else None
        if self._bm25 is not None:
            self._bm25.index([list(words) for words in texts], show_progress=False)

    def scores(self, words: Iterable[str]) -> Scores:
        """Return one score per text, in their order; 0 if it shares no word."""
        known = [word for word in words if word in self._counts]
        if self._bm25 is None or not known:
            return np.zeros(self._size, np.float32)
        found: Scores = self._bm25.get_scores(known)
        return found

    def knows(self, word: str) -> bool:
        """Return whether any text has a word."""
        return word in self._counts

    def weight(self, words: Iterable[str]) -> float:
        """Return how much words say, in units of a word that no text has: rare words say more."""
        most = math.log((self._size + 1) / 0.5)
        each = (math.log((self._size + 1) / (self._counts.get(w, 0) + 0.5)) for w in set(words))
        return sum(each) / most

    def shared(self, position: int, words: Collection[str]) -> list[str]:
        """Return those of the words that a text has."""
        return [word for word in words if word in self._holds[position]]


def pieces(text: str) -> list[str]:
    """Return overlapping pieces of four letters, without spaces: `만뇨` and `만료` share most."""
    letters = unicodedata.normalize("NFD", "".join(text.lower().split()))
    return [letters[at : at + _PIECE] for at in range(len(letters) - _PIECE + 1)]
