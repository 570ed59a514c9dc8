"""Search for the runbooks that fit a request."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from guardia.errors import NotFound
from guardia.knowledge.index import Index
from guardia.knowledge.runbook import Passage, Runbook, shipped

_SYMPTOM_BOOST = 3.0
"""Weight of symptoms: they are what people write when they need the runbook; prose explains it."""
_OPENING_BONUS = 2.0


@dataclass(frozen=True, slots=True)
class RunbookMatch:
    """A runbook that fits, with its best passage."""

    runbook: Runbook
    passage: Passage
    score: float


class Library:
    """Runbooks and their passages. The index is built on the first search."""

    def __init__(self, runbooks: Sequence[Runbook], earlier: Sequence[Runbook] = ()) -> None:
        """`earlier` versions are not found any more, but tasks that have begun refer to them."""
        self._runbooks, self._earlier = tuple(runbooks), tuple(earlier)

    @classmethod
    def shipped(cls) -> Library:
        """Return the library of the runbooks in this package."""
        return cls(shipped())

    @property
    def runbooks(self) -> tuple[Runbook, ...]:
        """All runbooks."""
        return self._runbooks

    def runbook(self, name: str, sha256: str = "") -> Runbook:
        """Return the runbook with that id, in the version of that digest if it is known.

        Raises `NotFound` if there is none.
        """
        known = [one for one in (*self._runbooks, *self._earlier) if one.id == name]
        match = next((r for r in known if r.sha256 == sha256), None)
        match = match or next((r for r in self._runbooks if r.id == name), None)
        if match is None:
            raise NotFound(what=name)
        return match

    def find(
        self,
        query: str,
        *,
        skills: Collection[str] | None = None,
        kinds: Collection[str] | None = None,
        service: str | None = None,
        products: Collection[str] | None = None,
        limit: int = 3,
    ) -> list[RunbookMatch]:
        """Return the runbooks that fit `query` best, one passage each, best first.

        Each filter applies if given: one of `skills`, one of the server `kinds`, the kind of
        `service`, the `products` of the server's services. A runbook that shares no word with the
        query is not returned.
        """
        scores = iter(self._index.scores(query))
        found = []
        for runbook in self._runbooks:
            symptoms = next(scores) * _SYMPTOM_BOOST
            best, passage = _best([(next(scores), p) for p in runbook.passages])
            if symptoms + best > 0 and _fits(runbook, skills, kinds, service, products):
                found.append(RunbookMatch(runbook, passage, symptoms + best))
        return sorted(found, key=lambda f: -f.score)[:limit]

    @cached_property
    def _index(self) -> Index:
        texts = []
        for runbook in self._runbooks:
            texts.append(" ".join((runbook.title, *runbook.symptoms)))
            texts.extend(f"{p.heading} {p.text}" for p in runbook.passages)
        return Index(texts)


def _best(scored: Sequence[tuple[float, Passage]]) -> tuple[float, Passage]:
    """Return the best score and the passage to cite.

    That is the opening, which says when the runbook applies, unless another passage fits far
    better.
    """
    score, passage = max(scored, key=lambda pair: pair[0])
    opening, first = scored[0]
    return (score, first) if opening * _OPENING_BONUS >= score else (score, passage)


def _fits(
    runbook: Runbook,
    skills: Collection[str] | None,
    kinds: Collection[str] | None,
    service: str | None,
    products: Collection[str] | None,
) -> bool:
    return (
        (skills is None or not set(skills).isdisjoint(runbook.skills))
        and (kinds is None or not set(kinds).isdisjoint(runbook.kinds))
        and (service is None or runbook.service in (None, service))
        and (products is None or runbook.is_for_products(products))
    )
