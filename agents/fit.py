"""Score how well engineers and agents fit an issue, with reasons. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from guardia.board.core.labels import label
from guardia.board.organization.candidates import Candidate, Specialist
from guardia.i18n import t

_SKILL = 10
_PROFICIENCY = 2
_LOAD = 3
_MEDIUM = 3


@dataclass(frozen=True, slots=True)
class EngineerFit:
    """A recommendation."""

    candidate: Candidate
    score: int
    reason: str


def best_engineer(candidates: list[Candidate], category: str) -> EngineerFit | None:
    """Return the best fit, or `None` if no one has the skill or owns the server."""
    fits = [f for f in (_fit(c, category) for c in candidates) if f is not None]
    # Ties go to the first id, so that the same board always gives the same result.
    return max(fits, key=lambda f: f.score, default=None)


def _fit(candidate: Candidate, category: str) -> EngineerFit | None:
    skilled = category in candidate.person.skills
    if not skilled and not candidate.proficiency:
        return None
    score = _SKILL * skilled + _PROFICIENCY * candidate.proficiency - _LOAD * candidate.load
    reason = t(
        "agents.fit",
        name=f"{candidate.person.name} {candidate.person.title}",
        grounds=_grounds(label("triage.category", category), skilled, candidate.proficiency),
        load=candidate.load,
    )
    return EngineerFit(candidate, score, reason)


def _grounds(skill: str, skilled: bool, proficiency: int) -> str:
    if not proficiency:
        return t("agents.grounds.skill", skill=skill)
    name = "high" if proficiency > _MEDIUM else "medium" if proficiency == _MEDIUM else "low"
    kind = "both" if skilled else "server"
    return t(f"agents.grounds.{kind}", skill=skill, level=t(f"agents.level.{name}"))


def explain_choice(agent: Specialist, skill: str) -> str:
    """Explain in a sentence why an agent was chosen."""
    why = "agents.chosen" if skill in agent.skills else "agents.chosen_by_server"
    return t(why, agent=agent.title, category=label("triage.category", skill))


def best_specialist(agents: list[Specialist], category: str, kind: str | None) -> Specialist | None:
    """Return the agent whose skills name the category, or failing that the server's kind.

    Of several, the one with the lowest load, so that hiring a second one halves the wait.
    """
    for skill in (category, kind):
        able = [a for a in agents if skill in a.skills]
        if able:
            return min(able, key=lambda a: a.load)
    return None
