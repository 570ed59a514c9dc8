"""Decide kind, category and priority: rules first, learned weights where the rules are unsure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from guardia.agents.brain.triage import rules
from guardia.agents.brain.triage.evidence import evidence, with_kind
from guardia.agents.brain.triage.facts import RequestFacts
from guardia.agents.brain.triage.rules import Judgement
from guardia.agents.brain.triage.weights import FieldWeights, learned

LEARNED = "learned"
"""Reasons of values from the weights begin with this."""
# How sure the weights must be to decide instead of a rule, by the rule's reason: measured on
# authors whose texts neither the rules nor the weights had seen (docs/triage.md).
_NEEDED: Mapping[str, Mapping[str, float]] = {
    "kind": {
        "wish": 0.4, "default": 0, "question": 0.5, "change": 0.6, "reported": 0.7, "fault": 0.95,
    },
    "category": {"no_topic": 0, "server": 0.6},
    "priority": {
        "degraded": 0.5, "urgent": 0.5, "outage": 0.6, "one": 0.6, "no_impact": 0.7, "normal": 0.7,
        "today": 0.97,
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decision:
    """The judgements of the three fields."""

    kind: Judgement
    category: Judgement
    priority: Judgement


def decide(facts: RequestFacts) -> Decision:
    """Return the judgements of a request. Requested work is the rules' alone."""
    found, weights = evidence(facts), learned()
    kind = _settled("kind", rules.kind(facts), weights, found)
    category = _settled("category", rules.category(facts), weights, found)
    priority = rules.priority(facts, kind.value)
    known = with_kind(found, kind.value)
    return Decision(kind, category, _settled("priority", priority, weights, known))


def _settled(
    field: str, ruled: Judgement, weights: Mapping[str, FieldWeights], found: dict[str, str]
) -> Judgement:
    """Return the rule's judgement, or that of the weights where they are sure enough."""
    needed = _NEEDED[field].get(ruled.because)
    if needed is None:
        return ruled
    opinion = weights[field].opinion(found)
    if opinion.value == ruled.value or opinion.share < needed:
        return ruled
    return Judgement(opinion.value, f"{LEARNED}_{field}", opinion.words)
