"""Search by words: BM25 over Korean morphemes."""

from __future__ import annotations

from collections.abc import Sequence

import bm25s

from guardia.knowledge.korean import tokens


class Index:
    """Texts that can be searched; made once, then only read, from any thread."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._size = len(texts)
        self._bm25 = bm25s.BM25()
        self._bm25.index([tokens(text) or ["-"] for text in texts], show_progress=False)

    def search(self, query: str) -> list[tuple[int, float]]:
        """Numbers of the texts that share a word with ``query``, with their scores, best first."""
        words = tokens(query)
        if not words:
            return []
        scores = self._bm25.get_scores([w for w in words if w in self._bm25.vocab_dict])
        ranked = sorted(range(self._size), key=lambda n: (-scores[n], n))
        # bm25s scores what shares no word with 0: that is not a hit.
        return [(n, float(scores[n])) for n in ranked if scores[n] > 0]
