"""The library: which runbook answers a request, and the passage that says so."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from guardia.errors import NotFound
from guardia.knowledge import runbook as runbooks
from guardia.knowledge.index import Index
from guardia.knowledge.runbook import Passage, Runbook

_SYMPTOMS = 2.0
"""How much more a symptom counts than the prose: it is how people say it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A runbook that fits, and its best passage."""

    runbook: Runbook
    passage: Passage
    score: float


class Library:
    """Searchable runbooks; made once per process."""

    def __init__(self, books: Collection[Runbook]) -> None:
        self._books = {book.id: book for book in books}
        self._passages = [p for book in books for p in book.passages]
        self._symptoms = [(book.id, s) for book in books for s in (*book.symptoms, book.title)]
        self._by_passage = Index([f"{p.heading}\n{p.text}" for p in self._passages])
        self._by_symptom = Index([text for _, text in self._symptoms])

    @classmethod
    def shipped(cls) -> Library:
        """The runbooks that the product brings."""
        return cls(runbooks.shipped())

    def runbook(self, document: str) -> Runbook:
        """A runbook by its id; ``NotFound`` else."""
        if document not in self._books:
            raise NotFound(what=document)
        return self._books[document]

    def find(
        self,
        query: str,
        *,
        skills: Collection[str] | None = None,
        kinds: Collection[str] | None = None,
        action_type: str | None = None,
        limit: int = 3,
    ) -> list[Found]:
        """The best runbooks for ``query`` among those that fit an agent's skills and a server's
        kind; one whose work was asked for by name comes first."""
        fitting = {b.id for b in self._books.values() if _fits(b, skills, kinds)}
        scores: dict[str, float] = {}
        for number, score in self._by_symptom.search(query):
            document = self._symptoms[number][0]
            scores[document] = max(scores.get(document, 0.0), score * _SYMPTOMS)
        best: dict[str, tuple[float, Passage]] = {}
        for number, score in self._by_passage.search(query):
            passage = self._passages[number]
            best.setdefault(passage.document, (score, passage))
        for document, (score, _) in best.items():
            scores[document] = scores.get(document, 0.0) + score
        hits = [
            Found(book, best[book.id][1] if book.id in best else book.passages[0], scores[book.id])
            for book in self._books.values()
            if book.id in fitting and book.id in scores
        ]
        asked = action_type or ""
        hits.sort(key=lambda f: (f.runbook.action_type != asked, -f.score, f.runbook.id))
        return hits[:limit]


def _fits(
    book: Runbook, skills: Collection[str] | None, kinds: Collection[str] | None
) -> bool:
    return (skills is None or bool(set(skills) & set(book.skills))) and (
        kinds is None or bool(set(kinds) & set(book.kinds))
    )
