"""Who is responsible for a server in a field, in which order, and why. Pure.

The only place that weighs ownership, duty, skill and load.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from guardia.board.cmdb.duty_calendar import DutyShift
from guardia.board.core.labels import label
from guardia.i18n import t
from guardia.org.assignment import DEFAULT_WEIGHTS, FitWeights
from guardia.org.directory import PersonInfo

_MEDIUM = 3
_EVERY_SKILL = "*"


@dataclass(frozen=True, slots=True)
class Ownership:
    """A person's responsibility for a server, and where it comes from."""

    skill: str
    proficiency: int
    duty: str = "primary"
    scope: str = "server"
    target: str = ""
    team: str = ""

    def covers(self, skill: str) -> bool:
        """Return whether it is for this field."""
        return self.skill in (skill, _EVERY_SKILL)


@dataclass(frozen=True, slots=True)
class ResponsibilityFacts:
    """What is known of one person, for one server at one moment."""

    person: PersonInfo
    owns: tuple[Ownership, ...] = ()
    shifts: tuple[DutyShift, ...] = ()
    """Turns of duty that cover the server's institution."""
    levels: Mapping[str, int] = field(default_factory=dict)
    load: int = 0
    """Open tasks already assigned to them."""
    absent: bool = False
    substitute: str = ""
    """Who takes over during the absence."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person with the facts for and against assigning an issue of one field."""

    person: PersonInfo
    proficiency: int
    """1 to 5 on the server in question; 0 if neither owned nor entered as a skill's level."""
    load: int
    """Open tasks already assigned to them."""
    duty: str = ""
    """`primary` or `deputy` for this field on the server; empty: neither."""
    shift: str = ""
    """The duty that the person is on for this field now."""
    owns: bool = True
    """Whether the proficiency is that of an owner."""
    substitutes: str = ""
    """The absent person whom this one replaces."""


@dataclass(frozen=True, slots=True)
class Responsible:
    """One person in the order of responsibility, with the grounds in words."""

    candidate: Candidate
    score: int
    reasons: tuple[str, ...]

    @property
    def person(self) -> PersonInfo:
        """The person."""
        return self.candidate.person


def who_is_responsible(
    facts: Iterable[ResponsibilityFacts], skill: str, weights: FitWeights = DEFAULT_WEIGHTS
) -> list[Responsible]:
    """Return who is responsible in a field, the first one first.

    With the shipped weights, being on duty comes before everything, then skill, then ownership
    (primary before deputy) with its proficiency; open tasks count against. An absent person is left
    out and their substitute gets what they own. Equal scores are in the order of ids.
    """
    return order(candidates_of(list(facts), skill), skill, weights)


def candidates_of(facts: Sequence[ResponsibilityFacts], skill: str) -> list[Candidate]:
    """Return the people who are not absent, with what speaks for them in a field."""
    by_id = {f.person.id: f for f in facts}
    inherited: dict[str, ResponsibilityFacts] = {}
    for one in facts:
        if one.absent and one.substitute in by_id and not by_id[one.substitute].absent:
            inherited.setdefault(one.substitute, one)
    return [_candidate(f, inherited.get(f.person.id), skill) for f in facts if not f.absent]


def _candidate(
    facts: ResponsibilityFacts, absent: ResponsibilityFacts | None, skill: str
) -> Candidate:
    owns, shifts = facts.owns, facts.shifts
    stands_in = ""
    if absent is not None and (_in_field(absent.owns, skill) or absent.shifts):
        owns, shifts = (*owns, *absent.owns), (*shifts, *absent.shifts)
        stands_in = _named(absent.person)
    fitting = _in_field(owns, skill)
    best = max((o.proficiency for o in fitting or owns), default=0)
    found = Candidate(
        facts.person,
        proficiency=best or facts.levels.get(skill, 0),
        load=facts.load,
        owns=bool(owns),
        substitutes=stands_in,
    )
    if fitting:
        primary = any(o.duty == "primary" for o in fitting)
        found = replace(found, duty="primary" if primary else "deputy")
    shift = next((s for s in shifts if s.field in (_EVERY_SKILL, skill)), None)
    return replace(found, shift=shift.duty) if shift is not None else found


def _in_field(owns: Iterable[Ownership], skill: str) -> list[Ownership]:
    return [o for o in owns if o.covers(skill)]


def order(
    candidates: Iterable[Candidate], skill: str, weights: FitWeights = DEFAULT_WEIGHTS
) -> list[Responsible]:
    """Return the candidates for whom something speaks, the best first."""
    found = [
        Responsible(c, score(c, skill, weights), reasons(c, skill))
        for c in candidates
        if _fits(c, skill)
    ]
    return sorted(found, key=lambda r: -r.score)


def _fits(candidate: Candidate, skill: str) -> bool:
    return (
        skill in candidate.person.skills
        or bool(candidate.shift or candidate.duty)
        or (candidate.owns and candidate.proficiency > 0)
    )


def score(candidate: Candidate, skill: str, weights: FitWeights = DEFAULT_WEIGHTS) -> int:
    """Return how well a person fits: more is better."""
    return (
        weights.duty * bool(candidate.shift)
        + weights.skill * (skill in candidate.person.skills)
        + {"primary": weights.primary, "deputy": weights.deputy}.get(candidate.duty, 0)
        + weights.proficiency * candidate.proficiency
        - weights.load * candidate.load
    )


def reasons(candidate: Candidate, skill: str) -> tuple[str, ...]:
    """Return why a person is responsible, in words."""
    found = []
    if candidate.shift:
        found.append(t("roster.why.on_duty", duty=candidate.shift))
    if candidate.duty:
        found.append(t(f"roster.why.{candidate.duty}"))
    elif candidate.owns and candidate.proficiency:
        found.append(t("roster.why.other_field"))
    if skill in candidate.person.skills:
        found.append(t("roster.why.skill", skill=skill))
    if candidate.proficiency:
        level = t(f"agents.level.{level_name(candidate.proficiency)}")
        found.append(t("roster.why.level", level=level))
    if candidate.substitutes:
        found.append(t("roster.why.substitute", who=candidate.substitutes))
    if candidate.load:
        found.append(t("roster.why.load", load=candidate.load))
    return tuple(found)


def recommendation(candidate: Candidate, skill: str) -> str:
    """Return the sentence that recommends a person for a field."""
    return t(
        "agents.fit",
        name=_named(candidate.person),
        grounds=_grounds(candidate, skill),
        load=candidate.load,
    )


def _grounds(candidate: Candidate, skill: str) -> str:
    field_name, found = label("triage.category", skill), []
    if candidate.shift:
        found.append(t("roster.why.on_duty", duty=candidate.shift))
    if candidate.substitutes:
        found.append(t("roster.why.substitute", who=candidate.substitutes))
    skilled = skill in candidate.person.skills
    if candidate.proficiency:
        level = t(f"agents.level.{level_name(candidate.proficiency)}")
        kind = "both" if skilled else "server"
        found.append(t(f"agents.grounds.{kind}", skill=field_name, level=level))
    elif skilled or not found:
        found.append(t("agents.grounds.skill", skill=field_name))
    return ", ".join(found)


def level_name(proficiency: int) -> str:
    """Return `high`, `medium` or `low`."""
    return "high" if proficiency > _MEDIUM else "medium" if proficiency == _MEDIUM else "low"


def _named(person: PersonInfo) -> str:
    return f"{person.name} {person.title}".strip()
