"""Decide kind, category and priority: rules first, learned weights where the rules are unsure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    "kind": {"wish": 0.4, "default": 0.5, "question": 0.5, "change": 0.9, "reported": 0.7},
    "category": {"no_topic": 0.5, "server": 0.6},
    "priority": {
        "degraded": 0.5, "urgent": 0.9, "outage": 0.6, "one": 0.6, "no_impact": 0.7, "normal": 0.7,
    },
}  # fmt: skip


_WITHOUT_TROUBLE = ("HEALTH_CHECK", "CERT_CHECK", "BACKUP")
_SURE = 0.8
"""Share from which a chat model may not change what the weights have decided."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The judgements of the three fields."""

    kind: Judgement
    category: Judgement
    priority: Judgement


def decide(facts: RequestFacts, weights: Mapping[str, FieldWeights] | None = None) -> Decision:
    """Return the judgements of a request, by the shipped weights unless others are given.

    Requested work is the rules' alone.
    """
    found = evidence(facts)
    if not facts.reading.clauses:
        weights = {}
    elif weights is None:
        weights = learned()
    category = _settled(
        "category", rules.category(facts), weights, found, lambda value: value != "DEPLOY"
    )
    kind = _settled(
        "kind", rules.kind(facts), weights, found, lambda v: _may_be_kind(v, category.value, facts)
    )
    priority = rules.priority(facts, kind.value)
    known = with_kind(found, kind.value)
    return Decision(
        kind,
        category,
        _settled("priority", priority, weights, known, lambda value: _may_rank(value, facts)),
    )


def _may_be_kind(value: str, category: str, facts: RequestFacts) -> bool:
    """Return whether words alone may decide for `value`.

    Work on accounts is a service, and what has no impact yet is no incident. Neither is a question
    without trouble, nor work that is done without trouble.
    """
    if value == "INCIDENT":
        idle = facts.open_questions and not facts.faults and not facts.requests
        service = facts.action in _WITHOUT_TROUBLE or (category == "ACCOUNT" and facts.requests)
        fine = service and not facts.faults
        return not (idle or fine or facts.reading.facts("calm.now", "calm.noimpact"))
    if value == "QUESTION":
        return not facts.asked
    return value != "CHANGE" or category not in ("ACCOUNT", "GENERAL")


def _may_rank(value: str, facts: RequestFacts) -> bool:
    """Return whether words alone may decide for `value`.

    P1 needs many who are affected, and more than slowness.
    """
    only_slow = bool(facts.faults) and len(facts.fault("slow", "weak")) == len(facts.faults)
    return value != "P1" or (
        bool(facts.wide)
        and not only_slow
        and not facts.reading.facts("calm.", "scope.some", "scope.one")
    )


def _settled(
    field: str,
    ruled: Judgement,
    weights: Mapping[str, FieldWeights],
    found: dict[str, str],
    permitted: Callable[[str], bool],
) -> Judgement:
    """Return the rule's judgement, or that of the weights where they are sure enough."""
    needed = _NEEDED[field].get(ruled.because)
    if needed is None or field not in weights:
        return ruled
    opinion = weights[field].opinion(found)
    if opinion.value == ruled.value or opinion.share < needed or not permitted(opinion.value):
        return ruled
    sure = opinion.share >= _SURE
    return Judgement(opinion.value, f"{LEARNED}_{field}", opinion.words, sure)
