"""The embedded brain: runbooks and Korean language rules, no model and no network."""

from __future__ import annotations

from guardia.agents.brain.goals.breakdown import GoalPiece, divide
from guardia.agents.brain.protocol import BrainResult, RunbookChoice
from guardia.agents.brain.triage.classify import Triage, triage
from guardia.i18n import t
from guardia.knowledge.library import RunbookMatch
from guardia.org.directory import Directory

NAME = "embedded"


class EmbeddedBrain:
    """Rules over morphemes for triage; the best search hit for the procedure."""

    def triage(self, text: str, directory: Directory) -> BrainResult[Triage]:
        """Classify by the rules, with the words that led to it as reasons."""
        return BrainResult(triage(text, directory), NAME)

    def divide(self, text: str, directory: Directory) -> BrainResult[tuple[GoalPiece, ...]]:
        """Into list items, sentences and clauses."""
        return BrainResult(divide(text), NAME)

    def choose(
        self, text: str, found: tuple[RunbookMatch, ...], notes: tuple[str, ...] = ()
    ) -> BrainResult[RunbookChoice]:
        """The first one: the search has ranked them by the request's own words, and lessons have
        put those in order that fit about equally well."""
        if not found:
            return BrainResult(RunbookChoice(None, t("agents.nothing_found")), NAME)
        best = found[0]
        return BrainResult(RunbookChoice(best.runbook.id, t("agents.best_hit")), NAME)
