"""Retrievers by name, so that an evaluation can compare them."""

from __future__ import annotations

from collections.abc import Callable

from guardia.knowledge.retrieval import fusion
from guardia.knowledge.retrieval.searcher import Method, Question, Searcher, hybrid
from guardia.knowledge.retrieval.vectors import Found, Mask


def _alone(find: Callable[[Searcher, Question, Mask | None], Found]) -> Method:
    def method(searcher: Searcher, asked: Question, allowed: Mask | None) -> dict[int, float]:
        positions, scores = find(searcher, asked, allowed)
        return dict(zip(positions.tolist(), scores.tolist(), strict=True))

    return method


def _by_rank(searcher: Searcher, asked: Question, allowed: Mask | None) -> dict[int, float]:
    positions, scores = searcher.by_plain_words(asked, allowed)
    shared = scores > 0
    meaning = searcher.by_meaning(asked, allowed)
    return fusion.by_rank([(positions[shared], scores[shared]), meaning])


METHODS: dict[str, Method] = {
    "hybrid": hybrid,
    "rrf": _by_rank,
    "words": _alone(Searcher.by_words),
    "bm25": _alone(Searcher.by_plain_words),
    "pieces": _alone(Searcher.by_pieces),
    "dense": _alone(Searcher.by_meaning),
}
"""`hybrid` is what people and agents get; the others are its parts and the usual fusion."""
