"""Find the lexicon's concepts in a request: where they are, and whether as facts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from guardia.agents.brain.triage import grammar
from guardia.agents.brain.triage.clauses import Clause, clauses
from guardia.agents.brain.triage.lexicon import Lexicon, PatternMatch, Spelled, spell
from guardia.knowledge.korean import Morpheme


@dataclass(frozen=True, slots=True)
class ConceptHit:
    """A concept found in a clause."""

    concept: str
    clause: int
    begin: int
    end: int
    words: str
    """As the sender wrote it."""
    denied: bool
    """Negated: "… is not", "do not …"."""
    supposed: bool
    """A condition, a possibility or a topic, not a fact."""
    past: bool

    @property
    def is_fact(self) -> bool:
        """Whether it is stated as a fact."""
        return not self.denied and not self.supposed

    @property
    def suffix(self) -> str:
        """`DEPLOY` of `action.DEPLOY`."""
        return self.concept.split(".")[1]


@dataclass(frozen=True)
class RequestReading:
    """All hits of a text."""

    clauses: tuple[Clause, ...]
    hits: tuple[ConceptHit, ...]

    @cached_property
    def _by_prefixes(self) -> dict[tuple[str, ...], list[ConceptHit]]:
        return {}

    @cached_property
    def _by_clause(self) -> dict[int, list[ConceptHit]]:
        found: dict[int, list[ConceptHit]] = defaultdict(list)
        for hit in self.hits:
            found[hit.clause].append(hit)
        return found

    def all(self, *prefixes: str) -> list[ConceptHit]:
        """Return the hits of these concepts, in order."""
        if prefixes not in self._by_prefixes:
            found = [h for h in self.hits if h.concept.startswith(prefixes)]
            self._by_prefixes[prefixes] = found
        return list(self._by_prefixes[prefixes])

    def facts(self, *prefixes: str) -> list[ConceptHit]:
        """Return the hits of these concepts that are facts."""
        return [h for h in self.all(*prefixes) if h.is_fact]

    def items(self, hit: ConceptHit) -> tuple[Morpheme, ...]:
        """Return the morphemes of the clause that contains `hit`."""
        return self.clauses[hit.clause].items

    def in_clause(self, clause: int, *prefixes: str) -> list[ConceptHit]:
        """Return the hits of these concepts in one clause."""
        found = self._by_clause.get(clause, ())
        return [h for h in found if h.concept.startswith(prefixes)]


def read_request(text: str, lexicon: Lexicon) -> RequestReading:
    """Read `text`, from which injected words have already been removed."""
    parts = tuple(clauses(text))
    spelled = [spell(part.items) for part in parts]
    hits = [
        _hit(match, number, part, text)
        for number, part in enumerate(parts)
        for match in lexicon.matches(part.items, spelled[number])
    ]
    hits += _across(parts, spelled, text, lexicon)
    return RequestReading(parts, tuple(_after_conditions(_distinct(hits), parts)))


def covered_hits(hits: Iterable[ConceptHit], others: Iterable[ConceptHit]) -> set[ConceptHit]:
    """Return the hits that a longer one of `others` covers."""
    by_clause: dict[int, set[tuple[int, int]]] = defaultdict(set)
    for other in others:
        by_clause[other.clause].add((other.begin, other.end))
    return {
        h
        for h in hits
        if any(
            begin <= h.begin and end >= h.end and (begin, end) != (h.begin, h.end)
            for begin, end in by_clause[h.clause]
        )
    }


def _across(
    parts: Sequence[Clause], spelled: Sequence[Spelled], text: str, lexicon: Lexicon
) -> Iterator[ConceptHit]:
    """Yield work whose object is in the clause before its verb: "쿼리가 도는데 죽여 주세요"."""
    for number in range(1, len(parts)):
        before, part = parts[number - 1], parts[number]
        if before.sentence != part.sentence:
            continue
        shift = len(before.items)
        both = replace(part, items=before.items + part.items)
        moved = [[(word, end + shift) for word, end in words] for words in spelled[number]]
        for match in lexicon.work_across(both.items, [*spelled[number - 1], *moved], shift):
            hit = _hit(match, number, both, text)
            yield replace(hit, begin=0, end=hit.end - shift)


def _distinct(hits: Iterable[ConceptHit]) -> list[ConceptHit]:
    """Return one hit per concept and position."""
    kept = {(h.concept, h.clause, h.begin, h.end): h for h in hits}
    return sorted(kept.values(), key=lambda h: (h.clause, h.begin, h.end))


def _after_conditions(hits: list[ConceptHit], parts: Sequence[Clause]) -> Iterator[ConceptHit]:
    """Mark what follows a condition about a problem as hypothetical."""
    troubled = {h.clause for h in hits if h.concept.startswith("fault.")}
    first: dict[int, int] = {}
    for number, part in enumerate(parts):
        if part.conditional and (number in troubled or grammar.is_negated(part)):
            first.setdefault(part.sentence, number)
    for hit in hits:
        follows = first.get(parts[hit.clause].sentence, hit.clause) < hit.clause
        if follows and hit.concept.startswith(("fault.", "scope.")):
            yield replace(hit, supposed=True)
        else:
            yield hit


def _hit(match: PatternMatch, number: int, clause: Clause, text: str) -> ConceptHit:
    items, begin, end = clause.items, match.begin, match.end
    last = items[end - 1]
    stop = items[end].start if end < len(items) else last.start + len(last.form)
    return ConceptHit(
        concept=match.pattern.concept,
        clause=number,
        begin=begin,
        end=end,
        words=_surface(text, items[begin].start, max(stop, last.start + 1)),
        denied=grammar.is_denied(items, begin, end) or _fails(match, items[begin + 1 : end]),
        supposed=grammar.is_hypothetical(clause, end),
        past=grammar.is_past(items[end:]),
    )


def _fails(match: PatternMatch, rest: Sequence[Morpheme]) -> bool:
    """Return whether what works is negated in its midst: "다시 못 들어갑니다"."""
    return match.pattern.concept == "calm.works" and any(map(grammar.is_negation, rest))


def _surface(text: str, begin: int, stop: int) -> str:
    """Extend `text[begin:stop]` to whole words."""
    while begin and not text[begin - 1].isspace():
        begin -= 1
    while stop < len(text) and not text[stop].isspace() and not text[stop - 1].isspace():
        stop += 1
    return text[begin:stop].strip(" \n.,!?~()")
