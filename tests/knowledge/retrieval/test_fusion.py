"""Results of several retrievers are combined by rank or by standardized score."""

from __future__ import annotations

import numpy as np
import pytest

from guardia.knowledge.retrieval import fusion
from guardia.knowledge.retrieval.vectors import Found


def found(*pairs: tuple[int, float]) -> Found:
    return np.array([p for p, _ in pairs], np.int64), np.array([s for _, s in pairs], np.float32)


def test_reciprocal_ranks_are_added() -> None:
    total = fusion.by_rank([found((7, 9.0), (3, 1.0)), found((3, 0.9))])
    assert total == {7: pytest.approx(1 / 61), 3: pytest.approx(1 / 62 + 1 / 61)}
    assert [position for position, _ in fusion.ordered(total)] == [3, 7]


def test_scores_count_in_deviations_whatever_their_scale() -> None:
    small = fusion.by_score([(found((1, 0.9), (2, 0.8), (3, 0.7)), 1.0)])
    large = fusion.by_score([(found((1, 900.0), (2, 800.0), (3, 700.0)), 1.0)])
    assert small == pytest.approx(large, rel=1e-4)


def test_what_a_retriever_has_not_found_counts_against_it() -> None:
    total = fusion.by_score([(found((1, 2.0), (2, 1.0)), 1.0), (found((1, 5.0), (3, 4.0)), 0.5)])
    assert total == pytest.approx({1: 1.5, 2: -1.5, 3: -1.5}, abs=1e-4)


def test_nothing_found_is_nothing() -> None:
    assert fusion.by_score([(found(), 1.0)]) == {}
    assert fusion.by_rank([found()]) == {}
