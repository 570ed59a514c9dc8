"""Interface of every brain: what it is asked and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from guardia.agents.brain.goals.breakdown import GoalPiece
from guardia.agents.brain.triage.classify import Triage
from guardia.board.command.names import Names
from guardia.board.command.structure import Command, Situation
from guardia.i18n import t
from guardia.knowledge.library import RunbookMatch
from guardia.org.directory import Directory

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BrainResult(Generic[T]):
    """An answer, its author, and a caveat."""

    answer: T
    by: str
    """`embedded` or `chat:<model>`."""
    caveat: str = ""
    """For people, e.g. that the chat model failed and the embedded brain took over."""


def display_name(by: str) -> str:
    """Return the author of an answer as shown to people."""
    return t("agents.embedded") if by == "embedded" else by


def attribution(result: BrainResult[Any]) -> str:
    """Return the author of an answer with its caveat."""
    return (
        f"{display_name(result.by)} ({result.caveat})" if result.caveat else display_name(result.by)
    )


@dataclass(frozen=True, slots=True)
class RunbookChoice:
    """The chosen runbook or `None`, with the reason in Korean."""

    runbook: str | None
    reason: str


class Brain(Protocol):
    """Decides and never acts: every answer is a choice from what it was given."""

    def triage(self, text: str, directory: Directory) -> BrainResult[Triage]:
        """Classify a request; `text` is untrusted."""
        ...

    def command(self, line: str, situation: Situation, names: Names) -> BrainResult[Command]:
        """Read an operator's line; `line` is untrusted."""
        ...

    def divide(self, text: str, directory: Directory) -> BrainResult[tuple[GoalPiece, ...]]:
        """Split a goal into pieces of work; `text` is untrusted."""
        ...

    def choose(
        self, text: str, found: tuple[RunbookMatch, ...], notes: tuple[str, ...] = ()
    ) -> BrainResult[RunbookChoice]:
        """Choose the runbook for the diagnosis from the search results.

        `notes` are what the agent remembers: untrusted data like the request.
        """
        ...
