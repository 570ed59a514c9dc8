"""Score how well engineers and agents fit an issue, with reasons. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from guardia.board.cmdb import responsibility
from guardia.board.cmdb.responsibility import Candidate
from guardia.board.core.labels import label
from guardia.board.organization.candidates import Specialist
from guardia.i18n import t


@dataclass(frozen=True, slots=True)
class EngineerFit:
    """A recommendation."""

    candidate: Candidate
    score: int
    reason: str


def best_engineer(candidates: list[Candidate], category: str) -> EngineerFit | None:
    """Return the best fit, or `None` if no one has the skill, is on duty or owns the server."""
    # Ties go to the first id, so that the same board always gives the same result.
    best = next(iter(responsibility.order(candidates, category)), None)
    return (
        EngineerFit(best.candidate, best.score, _reason(best.candidate, category)) if best else None
    )


def _reason(candidate: Candidate, category: str) -> str:
    return t(
        "agents.fit",
        name=f"{candidate.person.name} {candidate.person.title}",
        grounds=_grounds(candidate, category),
        load=candidate.load,
    )


def _grounds(candidate: Candidate, category: str) -> str:
    skill, found = label("triage.category", category), []
    if candidate.shift:
        found.append(t("roster.why.on_duty", duty=candidate.shift))
    if candidate.substitutes:
        found.append(t("roster.why.substitute", who=candidate.substitutes))
    skilled = category in candidate.person.skills
    if candidate.proficiency:
        level = t(f"agents.level.{responsibility.level_name(candidate.proficiency)}")
        kind = "both" if skilled else "server"
        found.append(t(f"agents.grounds.{kind}", skill=skill, level=level))
    elif skilled or not found:
        found.append(t("agents.grounds.skill", skill=skill))
    return ", ".join(found)


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
