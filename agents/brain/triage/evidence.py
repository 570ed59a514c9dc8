"""Evidence that the learned weights read: words, pairs of words, and what the rules found."""

from __future__ import annotations

from collections.abc import Iterator

from guardia.agents.brain.triage import rules
from guardia.agents.brain.triage.facts import RequestFacts
from guardia.knowledge.korean import Morpheme, canonical

_WORDS = ("NN", "XR", "VV", "VA", "VX", "SL", "MAG", "MM", "VCN")
_ENDINGS = ("EF", "EC", "ETM", "ETN", "EP")


def evidence(facts: RequestFacts, judgements: dict[str, rules.Judgement]) -> dict[str, str]:
    """Return each piece of evidence with the words of the text that it stands for.

    `judgements` are those of the rules, by field.
    """
    found = {f"rule {name} {j.value} {j.because}": "" for name, j in judgements.items()}
    found |= {f"rule {name} {j.value}": "" for name, j in judgements.items()}
    found[f"server {facts.kinds[0] if facts.kinds else '-'}"] = ""
    found[f"action {facts.action or '-'}"] = ""
    found |= {
        f"is {'' if h.is_fact else 'no '}{h.concept.rsplit('.', 1)[0] if h.concept.startswith('topic') else h.concept}": h.words
        for h in facts.reading.hits
    }
    found |= {f"fault {h.concept}": h.words for h in facts.faults}
    found |= dict.fromkeys((f"asked {h.concept}" for h in facts.requests), "")
    for clause in facts.reading.clauses:
        found |= dict(_words(clause.items))
        if clause.question:
            found["question"] = ""
    return found


def _words(items: tuple[Morpheme, ...]) -> Iterator[tuple[str, str]]:
    """Yield single words, and each with the word or ending after it."""
    before = ""
    for item in items:
        if not item.tag.startswith((*_WORDS, *_ENDINGS)) or item.form == "srv":
            continue
        form = f"{canonical(item.form)}/{item.tag[:1] if item.tag[0] == 'N' else item.tag}"
        if item.tag.startswith(_WORDS) or item.tag in ("EF", "EP"):
            yield form, item.form
        if before:
            yield f"{before} {form}", item.form
        before = form
