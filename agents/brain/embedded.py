"""Embedded brain: runbooks and Korean language rules, without model or network."""

from __future__ import annotations

from guardia.agents.brain.goals.breakdown import GoalPiece, divide
from guardia.agents.brain.protocol import BrainResult, RunbookChoice
from guardia.agents.brain.triage.classify import Triage, triage
from guardia.board.command.names import Names
from guardia.board.command.parser import parse
from guardia.board.command.structure import Command, Situation
from guardia.i18n import t
from guardia.knowledge.library import RunbookMatch
from guardia.org.directory import Directory

NAME = "embedded"


class EmbeddedBrain:
    """Classifies with rules over morphemes; chooses the best search hit."""

    def triage(self, text: str, directory: Directory) -> BrainResult[Triage]:
        """Classify by the rules, with the words that matched as reasons."""
        return BrainResult(triage(text, directory), NAME)

    def command(self, line: str, situation: Situation, names: Names) -> BrainResult[Command]:
        """Read an operator's line by the grammar."""
        return BrainResult(parse(line, situation, names), NAME)

    def divide(self, text: str, directory: Directory) -> BrainResult[tuple[GoalPiece, ...]]:
        """Split into list items, sentences and clauses."""
        return BrainResult(divide(text), NAME)

    def choose(
        self, text: str, found: tuple[RunbookMatch, ...], notes: tuple[str, ...] = ()
    ) -> BrainResult[RunbookChoice]:
        """Choose the first match: search and lessons have ranked them."""
        if not found:
            return BrainResult(RunbookChoice(None, t("agents.nothing_found")), NAME)
        best = found[0]
        return BrainResult(RunbookChoice(best.runbook.id, t("agents.best_hit")), NAME)
