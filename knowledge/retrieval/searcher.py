"""Search over passages: words, pieces of words and meaning, fused; then the gate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from guardia.knowledge.korean import tokens
from guardia.knowledge.retrieval import fusion, gate
from guardia.knowledge.retrieval.encoder import Encoder
from guardia.knowledge.retrieval.gate import Signals
from guardia.knowledge.retrieval.lexicon import technical_terms
from guardia.knowledge.retrieval.vectors import (
    Found,
    Mask,
    Positions,
    Scores,
    VectorIndex,
    index_of,
    largest,
)
from guardia.knowledge.retrieval.word_index import MOST_FOR_PIECES, WordIndex, pieces

CANDIDATES = 100
"""Passages that each retriever contributes."""
_TERM_WEIGHT = 0.5
_PIECE_SHARE = 0.3
_GATE_PASSAGES = 3

# Unrelated to each other and to most work: their nearness is what chance looks like.
_UNRELATED = (
    "오늘 점심은 무엇을 먹을까요",
    "디스크 사용률이 구십 퍼센트를 넘었습니다",
    "아이가 유치원에 입학합니다",
    "인증서가 다음 달에 만료됩니다",
    "주말에 산에 다녀왔습니다",
    "데이터베이스 복제가 늦어지고 있습니다",
    "버스를 타고 시청에 갑니다",
    "비밀번호를 다섯 번 틀렸습니다",
    "겨울에는 눈이 많이 내립니다",
    "백업 작업이 실패했습니다",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A passage as it is searched."""

    key: int
    group: int
    """What rights are checked by: its document."""
    text: str
    """Title, headings and text."""
    words: tuple[str, ...]
    vector: Scores | None = None
    """`None`: found by its words alone."""
    body_at: int = 0
    """Where the passage itself begins, after title and headings."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found."""

    key: int
    score: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The passages found, best first, and whether they answer the question."""

    hits: tuple[Hit, ...]
    confidence: float
    fits: bool
    wanted: tuple[str, ...] = ()
    """The words and technical terms of the question."""


NOTHING = SearchResult((), 0.0, False)


@dataclass(frozen=True, slots=True)
class Question:
    """A question, analysed once."""

    text: str
    words: list[str]
    terms: list[str]
    term_words: list[str]
    vector: Scores | None


Method = Callable[["Searcher", Question, Mask | None], dict[int, float]]
"""Scores passages by their position."""


class Searcher:
    """A fixed list of passages that can be searched, in the order of their keys."""

    def __init__(self, entries: Sequence[Entry], encoder: Encoder | None) -> None:
        self._entries = tuple(entries)
        self._encoder = encoder
        self._keys = np.array([entry.key for entry in entries], np.int64)
        self._groups = np.array([entry.group for entry in entries], np.int64)
        self._words = WordIndex([entry.words for entry in entries])
        few = len(entries) <= MOST_FOR_PIECES
        self._pieces = WordIndex([pieces(entry.text) for entry in entries]) if few else None
        self._encoded, self._vectors = self._vector_index()

    def __len__(self) -> int:
        return len(self._entries)

    def search(
        self,
        question: str,
        *,
        groups: Sequence[int] | None = None,
        most: int = 10,
        method: Method | None = None,
    ) -> SearchResult:
        """Return the passages that fit best, of the given groups if there are any.

        What is not in these groups influences nothing that is returned.
        """
        allowed = None if groups is None else np.isin(self._groups, np.asarray(groups, np.int64))
        if not self._entries or (allowed is not None and not allowed.any()):
            return NOTHING
        asked = self.analysed(question)
        total = (method or hybrid)(self, asked, allowed)
        order = fusion.ordered(total)[:most]
        signals = self.signals(asked, [position for position, _ in order], allowed)
        hits = tuple(Hit(int(self._keys[position]), score) for position, score in order)
        sure = gate.confidence(signals)
        wanted = (*asked.words, *asked.term_words)
        return SearchResult(hits, sure, bool(hits) and gate.fits(signals), wanted)

    def body(self, key: int) -> str:
        """Return a passage without its title and headings."""
        entry = self._entries[int(np.searchsorted(self._keys, key))]
        return entry.text[entry.body_at :]

    def weight(self, words: Sequence[str]) -> float:
        """Return how much words say: rare ones say more."""
        return self._words.weight(words)

    def by_words(self, asked: Question, allowed: Mask | None) -> Found:
        """Return what the words of a question and their technical terms find."""
        scores = self._words.scores(asked.words)
        if asked.term_words:
            scores = scores + _TERM_WEIGHT * self._words.scores(asked.term_words)
        return largest(scores, CANDIDATES, allowed)

    def by_plain_words(self, asked: Question, allowed: Mask | None) -> Found:
        """Return what the words of a question find."""
        return largest(self._words.scores(asked.words), CANDIDATES, allowed)

    def by_pieces(self, asked: Question, allowed: Mask | None) -> Found:
        """Return what pieces of words find; nothing in a large collection."""
        if self._pieces is None:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        return largest(self._pieces.scores(pieces(asked.text)), CANDIDATES, allowed)

    def by_meaning(self, asked: Question, allowed: Mask | None) -> Found:
        """Return what is near in meaning; nothing without an encoder."""
        if self._vectors is None or asked.vector is None:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        inside = None if allowed is None else allowed[self._encoded]
        found, scores = self._vectors.nearest(asked.vector, CANDIDATES, inside)
        return self._encoded[found], scores

    def _vector_index(
        self,
    ) -> tuple[Positions, VectorIndex | None]:
        pairs = [(at, e.vector) for at, e in enumerate(self._entries) if e.vector is not None]
        positions = np.array([at for at, _ in pairs], np.int64)
        if not pairs or self._encoder is None:
            return positions, None
        return positions, index_of(np.stack([vector for _, vector in pairs]))

    def analysed(self, question: str) -> Question:
        """Return a question with its words, technical terms and vector."""
        terms = technical_terms(question)
        vector = None
        if self._encoder is not None:
            said = f"{question} ({', '.join(terms)})" if terms else question
            vector = self._encoder.question(said)
        return Question(question, tokens(question), terms, tokens(" ".join(terms)), vector)

    def signals(self, asked: Question, best: list[int], allowed: Mask | None) -> Signals:
        """Return what decides whether the best passages answer a question."""
        words, terms, index = set(asked.words), set(asked.term_words), self._words
        top = best[:_GATE_PASSAGES]
        shared = max((index.weight(index.shared(p, words)) for p in top), default=0.0)
        told = max((index.weight(index.shared(p, terms)) for p in top), default=0.0)
        return Signals(
            nearness=self._nearness(asked, allowed),
            coverage=shared / (index.weight(words) or 1.0),
            unknown=sum(not index.knows(word) for word in words) / (len(words) or 1),
            terms=told,
        )

    def _nearness(self, asked: Question, allowed: Mask | None) -> float | None:
        scores = self.by_meaning(asked, allowed)[1]
        if not len(scores):
            return None
        return (float(scores[0]) - self._chance) / (1 - self._chance)

    @cached_property
    def _chance(self) -> float:
        """The nearness of unrelated texts: it differs between models."""
        assert self._encoder is not None
        vectors = self._encoder.passages(_UNRELATED)
        products = vectors @ vectors.T
        return float(products[~np.eye(len(vectors), dtype=bool)].mean())


def hybrid(searcher: Searcher, asked: Question, allowed: Mask | None) -> dict[int, float]:
    """Return the fused scores of everything that was found."""
    meaning = searcher.by_meaning(asked, allowed)
    words = searcher.by_words(asked, allowed)
    parts = searcher.by_pieces(asked, allowed)
    share = _PIECE_SHARE if len(parts[0]) else 0.0
    return fusion.by_score([(words, 1 - share), (parts, share), (meaning, 1.0)])


def entry_of(key: int, group: int, text: str, vector: Scores | None = None) -> Entry:
    """Return a passage as it is searched; loads the analyser."""
    return Entry(key, group, text, tuple(tokens(text)), vector)
