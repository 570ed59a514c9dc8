"""Nearest vectors: exact in numpy or FAISS, compressed in FAISS for large collections.

Vectors have length 1, so the nearest has the largest product.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

COMPRESS_BEYOND = 100_000
"""Vectors above which the index is compressed, if FAISS is installed: a quarter of the memory."""
_LISTS_PER_ROOT = 4
_PROBES = 64
_TRAINING = 50_000
_SEED = 1

Positions = NDArray[np.int64]
Scores = NDArray[np.float32]
Mask = NDArray[np.bool_]
Found = tuple[Positions, Scores]
"""Positions and scores of what was found, best first."""


class VectorIndex(Protocol):
    """Vectors that can be searched."""

    def nearest(
        self, question: Scores, most: int, allowed: Mask | None
    ) -> tuple[Positions, Scores]:
        """Return positions and scores of the nearest allowed vectors, best first."""


def index_of(vectors: NDArray[np.float32]) -> VectorIndex:
    """Return the index that fits the number of vectors."""
    if len(vectors) > COMPRESS_BEYOND and importlib.util.find_spec("faiss") is not None:
        return CompressedVectors(vectors)
    return ExactVectors(vectors)


class ExactVectors:
    """All vectors in one matrix; the question is compared with each."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self._matrix = np.ascontiguousarray(vectors, dtype=np.float32)

    def nearest(
        self, question: Scores, most: int, allowed: Mask | None
    ) -> tuple[Positions, Scores]:
        """Return positions and scores of the nearest allowed vectors, best first."""
        return largest(self._matrix @ question, most, allowed)


class FlatVectors:
    """The same in FAISS."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        faiss = _faiss()
        self._index: Any = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def nearest(
        self, question: Scores, most: int, allowed: Mask | None
    ) -> tuple[Positions, Scores]:
        """Return positions and scores of the nearest allowed vectors, best first."""
        faiss = _faiss()
        options = None if allowed is None else faiss.SearchParameters(sel=_selector(allowed))
        return _search(self._index, question, most, options)


class CompressedVectors:
    """One byte per number, in lists of neighbours of which the nearest are read."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        faiss = _faiss()
        count, dimension = vectors.shape
        lists = max(1, min(int(_LISTS_PER_ROOT * count**0.5), count // 40))
        quantizer = faiss.IndexFlatIP(dimension)
        self._index: Any = faiss.IndexIVFScalarQuantizer(
            quantizer, dimension, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        )
        self._index.cp.seed = _SEED
        chosen = np.random.default_rng(_SEED).permutation(count)[:_TRAINING]
        self._index.train(np.ascontiguousarray(vectors[chosen], dtype=np.float32))
        self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        self._quantizer = quantizer  # FAISS does not own it

    def nearest(
        self, question: Scores, most: int, allowed: Mask | None
    ) -> tuple[Positions, Scores]:
        """Return positions and scores of the nearest allowed vectors, best first."""
        faiss = _faiss()
        selector = None if allowed is None else _selector(allowed)
        options = faiss.SearchParametersIVF(sel=selector, nprobe=_PROBES)
        return _search(self._index, question, most, options)


def _faiss() -> Any:
    """Load FAISS, which is an extra; its type stubs do not know all of its arguments."""
    return importlib.import_module("faiss")


def largest(scores: Scores, most: int, allowed: Mask | None) -> Found:
    """Return positions and values of the largest allowed scores; ties by position."""
    if allowed is not None:
        scores = np.where(allowed, scores, -np.inf)
    count = min(most, len(scores))
    if count == 0:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    found = np.argpartition(-scores, count - 1)[:count]
    found = found[np.lexsort((found, -scores[found]))]
    found = found[np.isfinite(scores[found])]
    return found.astype(np.int64), scores[found].astype(np.float32)


def _selector(allowed: Mask) -> Any:
    faiss = _faiss()
    return faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))


def _search(index: Any, question: Scores, most: int, options: Any) -> Found:
    scores, found = index.search(question.reshape(1, -1), most, params=options)
    real = found[0] >= 0
    return found[0][real].astype(np.int64), scores[0][real].astype(np.float32)
