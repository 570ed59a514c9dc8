"""Score how well engineers and agents fit an issue, with reasons. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from guardia.board.cmdb import responsibility
from guardia.board.cmdb.responsibility import Candidate
from guardia.board.core.labels import label
from guardia.board.organization.candidates import Specialist
from guardia.i18n import t
from guardia.org.assignment import DEFAULT_WEIGHTS, FitWeights


@dataclass(frozen=True, slots=True)
class EngineerFit:
    """A recommendation."""

    candidate: Candidate
    score: int
    reason: str


def best_engineer(
    candidates: list[Candidate], category: str, weights: FitWeights = DEFAULT_WEIGHTS
) -> EngineerFit | None:
    """Return the best fit, or `None` if no one has the skill, is on duty or owns the server."""
    # Ties go to the first id, so that the same board always gives the same result.
    best = next(iter(responsibility.order(candidates, category, weights)), None)
    if best is None:
        return None
    reason = responsibility.recommendation(best.candidate, category)
    return EngineerFit(best.candidate, best.score, reason)


def explain_choice(agent: Specialist, skill: str) -> str:
    """Explain in a sentence why an agent was chosen."""
    why = "agents.chosen" if skill in agent.skills else "agents.chosen_by_server"
    return t(why, agent=agent.title, category=label("triage.category", skill))


def specialist_score(agent: Specialist, skill: str, weights: FitWeights = DEFAULT_WEIGHTS) -> int:
    """Return how well an agent fits: more is better."""
    return weights.skill * (skill in agent.skills) - weights.load * agent.load


def best_specialist(agents: list[Specialist], category: str, kind: str | None) -> Specialist | None:
    """Return the agent whose skills name the category, or failing that the server's kind.

    Of several, the one with the lowest load, so that hiring a second one halves the wait.
    """
    for skill in (category, kind):
        able = [a for a in agents if skill in a.skills]
        if able:
            return min(able, key=lambda a: a.load)
    return None
