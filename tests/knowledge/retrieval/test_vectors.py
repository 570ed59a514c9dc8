"""Nearest vectors are the same in numpy and FAISS, and nearly so when they are compressed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from guardia.knowledge.retrieval import vectors
from guardia.knowledge.retrieval.vectors import ExactVectors, VectorIndex

needs_faiss = pytest.mark.skipif(
    __import__("importlib.util").util.find_spec("faiss") is None, reason="the extra dense"
)


def unit(count: int, dimension: int = 32, seed: int = 5) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_best_come_first_and_only_allowed_ones() -> None:
    rows = unit(50)
    index = ExactVectors(rows)
    found, scores = index.nearest(rows[7], 5, None)
    assert found[0] == 7 and list(scores) == sorted(scores, reverse=True)
    allowed = np.ones(50, bool)
    allowed[7] = False
    assert 7 not in index.nearest(rows[7], 50, allowed)[0]
    assert len(index.nearest(rows[7], 50, allowed)[0]) == 49
    assert not len(index.nearest(rows[7], 5, np.zeros(50, bool))[0])


def test_a_tie_is_decided_by_position() -> None:
    rows = np.repeat(unit(1), 4, axis=0)
    assert ExactVectors(rows).nearest(rows[0], 3, None)[0].tolist() == [0, 1, 2]


@needs_faiss
@pytest.mark.slow
@pytest.mark.parametrize("build", [vectors.FlatVectors, vectors.CompressedVectors])
def test_faiss_finds_what_numpy_finds(build: Callable[[NDArray[np.float32]], VectorIndex]) -> None:
    rows, asked = unit(4000), unit(20, seed=6)
    exact, other = ExactVectors(rows), build(rows)
    allowed = np.arange(4000) % 3 > 0
    shared = 0
    for question in asked:
        wanted = set(exact.nearest(question, 10, allowed)[0].tolist())
        found = other.nearest(question, 10, allowed)[0].tolist()
        assert all(allowed[found])
        shared += len(wanted & set(found))
    assert shared >= (200 if build is vectors.FlatVectors else 150)


@needs_faiss
@pytest.mark.slow
def test_a_large_collection_is_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "COMPRESS_BEYOND", 1000)
    assert isinstance(vectors.index_of(unit(1001)), vectors.CompressedVectors)
    assert isinstance(vectors.index_of(unit(1000)), ExactVectors)
