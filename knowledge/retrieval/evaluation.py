"""How well questions find the passages that answer them, with intervals."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from guardia.knowledge.retrieval.methods import METHODS
from guardia.knowledge.retrieval.searcher import Searcher

_DEPTH = 10
_SAMPLES = 2000
_SEED = 13


@dataclass(frozen=True, slots=True)
class Example:
    """A question, its style, and the passages that answer it; none: it is off-topic."""

    question: str
    style: str
    relevant: frozenset[int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one retriever has found for one example."""

    example: Example
    found: tuple[int, ...]
    refused: bool
    milliseconds: float


def evaluate(searcher: Searcher, examples: Sequence[Example]) -> dict[str, Any]:
    """Return the figures of the retriever that is used, and those of each retriever."""
    by_method = {name: _run(searcher, examples, name) for name in METHODS}
    chosen = by_method["hybrid"]
    return {
        **figures(chosen),
        "by_style": {
            style: figures([o for o in chosen if o.example.style == style])
            for style in sorted({e.style for e in examples})
        },
        "by_retriever": {
            # The gate belongs to the retriever that is used.
            name: {**figures(found), "by_style": _styles(found)}
            for name, found in by_method.items()
        },
    }


def _styles(found: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    styles = sorted({o.example.style for o in found if o.example.relevant})
    return {
        s: ranking([o for o in found if o.example.relevant and o.example.style == s])
        for s in styles
    }


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return ranking, refusals and times of one retriever, with intervals of 95 %."""
    answerable = [o for o in outcomes if o.example.relevant]
    off_topic = [o for o in outcomes if not o.example.relevant]
    times = [o.milliseconds for o in outcomes]
    return {
        "questions": len(answerable),
        "off_topic": len(off_topic),
        **(ranking(answerable) if answerable else {}),
        "off_topic_refused": _share(o.refused for o in off_topic),
        "wrongly_refused": _share(o.refused for o in answerable),
        "ms": {
            "p50": round(statistics.median(times), 1) if times else None,
            "p95": round(float(np.quantile(times, 0.95)), 1) if times else None,
        },
        "intervals": _intervals(answerable, off_topic),
    }


def ranking(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return the means over questions that have an answer."""
    rows = np.array([_row(o) for o in outcomes])
    return {
        name: round(float(value), 3) for name, value in zip(_NAMES, rows.mean(axis=0), strict=True)
    }


_NAMES = ("recall@1", "recall@5", "mrr", "ndcg@10")


def _row(outcome: Outcome) -> tuple[float, float, float, float]:
    relevant, found = outcome.example.relevant, outcome.found[:_DEPTH]
    ranks = [rank for rank, key in enumerate(found, 1) if key in relevant]
    gain = sum(1 / math.log2(rank + 1) for rank in ranks)
    ideal = sum(1 / math.log2(n + 1) for n in range(1, min(len(relevant), _DEPTH) + 1))
    return (
        sum(rank <= 1 for rank in ranks) / len(relevant),
        sum(rank <= 5 for rank in ranks) / len(relevant),
        1 / ranks[0] if ranks else 0.0,
        gain / ideal,
    )


def _intervals(
    answerable: Sequence[Outcome], off_topic: Sequence[Outcome]
) -> dict[str, tuple[float, float]]:
    """Return intervals of 95 % by the bootstrap: what other questions of the kind might give."""
    found = {}
    if answerable:
        rows = np.array([_row(o) for o in answerable])
        for column, name in enumerate(_NAMES):
            found[name] = _interval(rows[:, column])
        found["wrongly_refused"] = _interval(np.array([float(o.refused) for o in answerable]))
    if off_topic:
        found["off_topic_refused"] = _interval(np.array([float(o.refused) for o in off_topic]))
    return found


def _interval(values: np.ndarray[Any, Any]) -> tuple[float, float]:
    samples = np.random.default_rng(_SEED).choice(values, (_SAMPLES, len(values))).mean(axis=1)
    low, high = np.quantile(samples, (0.025, 0.975))
    return round(float(low), 3), round(float(high), 3)


def _share(flags: Iterable[bool]) -> float | None:
    values = list(flags)
    return round(sum(values) / len(values), 3) if values else None


def _run(searcher: Searcher, examples: Sequence[Example], name: str) -> list[Outcome]:
    method = METHODS[name]
    searcher.search("준비", method=method)  # what is loaded once is no time of a question
    outcomes = []
    for example in examples:
        begun = time.perf_counter()
        result = searcher.search(example.question, most=_DEPTH, method=method)
        took = 1000 * (time.perf_counter() - begun)
        outcomes.append(
            Outcome(example, tuple(hit.key for hit in result.hits), not result.fits, took)
        )
    return outcomes
