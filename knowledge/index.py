"""BM25 search over Korean morphemes."""

from __future__ import annotations

from collections.abc import Sequence

from guardia.knowledge.korean import tokens


class Index:
    """BM25 scores of a fixed list of texts. Building it loads Kiwi."""

    def __init__(self, texts: Sequence[str]) -> None:
        from bm25s import BM25  # imported late: it would cost every CLI call 0.2 s

        self._size = len(texts)
        self._bm25 = BM25()
        self._bm25.index([tokens(text) for text in texts], show_progress=False)
        self._known = frozenset(self._bm25.vocab_dict)

    def scores(self, query: str) -> list[float]:
        """Return one score per text, in their order; 0 if it shares no word with the query."""
        words = [w for w in tokens(query) if w in self._known]
        if not words:
            return [0.0] * self._size
        return [float(score) for score in self._bm25.get_scores(words)]
