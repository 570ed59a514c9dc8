"""Decide whether the best passages answer a question at all. Pure.

Meaning always finds something near, and common words are everywhere. So the decision weighs how
near the nearest passage is, how much of the question's words and of their technical terms the best
passages have, and how many words no passage has. The weights were fitted by logistic
regression to questions of another author than the passages', half of them off-topic: see
`benchmarks/retrieval.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known about a question and its best passages."""

    nearness: float | None
    """Of the nearest passage: 0 like two unrelated texts, 1 like equal ones. `None`: no encoder."""
    coverage: float
    """Share of the question's words that one of the best passages has, rare words counting more."""
    unknown: float
    """Share of the question's words that no passage has."""
    terms: float
    """Weight of the technical terms that one of the best passages has."""


@dataclass(frozen=True, slots=True)
class _Weights:
    nearness: float
    coverage: float
    unknown: float
    terms: float
    bias: float
    threshold: float
    """Chosen by cross-validation so that nine of ten off-topic questions are refused."""


_MOST_TERMS = 2.5
_WITH_MEANING = _Weights(8.374, 2.560, -2.065, 0.496, 1.212, 0.6)
_WORDS_ALONE = _Weights(0.0, 4.198, -2.576, 1.159, -0.583, 0.65)


def confidence(signals: Signals) -> float:
    """Return how probable it is that the best passages answer the question, 0 to 1."""
    weights = _weights(signals)
    total = (
        weights.bias
        + weights.nearness * (signals.nearness or 0.0)
        + weights.coverage * signals.coverage
        + weights.unknown * signals.unknown
        + weights.terms * min(signals.terms, _MOST_TERMS)
    )
    return 1 / (1 + math.exp(-total))


def fits(signals: Signals) -> bool:
    """Return whether the best passages answer the question."""
    return confidence(signals) >= _weights(signals).threshold


def _weights(signals: Signals) -> _Weights:
    return _WORDS_ALONE if signals.nearness is None else _WITH_MEANING
