"""Combine the results of several retrievers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from guardia.knowledge.retrieval.vectors import Found, Positions, Scores

_RANK_CONSTANT = 60
_LEAST = -1.0


def by_rank(found: Sequence[Found]) -> dict[int, float]:
    """Return the reciprocal rank fusion of several results."""
    total: dict[int, float] = {}
    for positions, _ in found:
        for rank, position in enumerate(positions.tolist(), 1):
            total[position] = total.get(position, 0.0) + 1 / (_RANK_CONSTANT + rank)
    return total


def by_score(found: Sequence[tuple[Found, float]]) -> dict[int, float]:
    """Return weighted sums of standardized scores.

    Each result is standardized over its own best, so that neither the number of texts nor the
    scale of a retriever matters; what a retriever has not found counts as one deviation below.
    """
    standard = [(_standardized(*result), weight) for result, weight in found]
    everything = {position for scores, _ in standard for position in scores}
    return {
        position: sum(weight * scores.get(position, _LEAST) for scores, weight in standard)
        for position in everything
    }


def ordered(total: Mapping[int, float]) -> list[tuple[int, float]]:
    """Return positions with their scores, best first; ties by position."""
    return sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))


def _standardized(positions: Positions, scores: Scores) -> dict[int, float]:
    if not len(scores):
        return {}
    values = np.maximum((scores - scores.mean()) / (scores.std() + 1e-9), _LEAST)
    return dict(zip(positions.tolist(), values.tolist(), strict=True))
