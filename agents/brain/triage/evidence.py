"""Evidence that the learned weights read: words, pairs of words, and concepts of the lexicon."""

from __future__ import annotations

from collections.abc import Iterator

from guardia.agents.brain.triage.facts import RequestFacts
from guardia.agents.brain.triage.reading import ConceptHit
from guardia.knowledge.korean import Morpheme, canonical

_WORDS = ("NN", "XR", "VV", "VA", "VX", "SL", "MAG", "MM", "VCN")
_ENDINGS = ("EF", "EC", "ETM", "ETN", "EP")
_ALONE = ("EF", "EP")
_WITH_KIND = ("is when", "is no ", "is calm", "is scope", "fault")
"""Evidence whose weight for the priority depends on the kind."""


def evidence(facts: RequestFacts) -> dict[str, str]:
    """Return each piece of evidence with the words of the text behind it."""
    found = {
        f"server {facts.kinds[0] if facts.kinds else '-'}": "",
        f"action {facts.action or '-'}": "",
    }
    found |= {_concept(hit): hit.words for hit in facts.reading.hits}
    found |= {f"fault {hit.concept}": hit.words for hit in facts.faults}
    found |= dict.fromkeys((f"asked {hit.concept}" for hit in facts.requests), "")
    for clause in facts.reading.clauses:
        found |= dict(_words(clause.items))
        if clause.question:
            found["question"] = ""
    return found


def with_kind(found: dict[str, str], kind: str) -> dict[str, str]:
    """Return the evidence for the priority of a request of this kind."""
    more = {f"{kind} {name}": words for name, words in found.items() if name.startswith(_WITH_KIND)}
    return {**found, kind: "", **more}


def _concept(hit: ConceptHit) -> str:
    name = hit.concept.rsplit(".", 1)[0] if hit.concept.startswith("topic.") else hit.concept
    return f"is {'' if hit.is_fact else 'no '}{name}"


def _words(items: tuple[Morpheme, ...]) -> Iterator[tuple[str, str]]:
    """Yield single words, and each with the word or ending before it."""
    before = written = ""
    for item in items:
        if not item.tag.startswith((*_WORDS, *_ENDINGS)) or item.form == "srv":
            continue
        form = f"{canonical(item.form)}/{item.tag[:1] if item.tag[0] == 'N' else item.tag}"
        if item.tag.startswith(_WORDS) or item.tag in _ALONE:
            yield form, item.form
        if before:
            yield f"{before} {form}", written
        before, written = form, item.form
