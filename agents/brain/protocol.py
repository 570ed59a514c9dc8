"""The interface of every brain: what it is asked, and what it may answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from guardia.agents.brain.goals.breakdown import GoalPiece
from guardia.agents.brain.triage.classify import Triage
from guardia.i18n import t
from guardia.knowledge.library import RunbookMatch
from guardia.org.directory import Directory

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BrainResult(Generic[T]):
    """An answer, who gave it, and anything a person should know about how."""

    answer: T
    by: str
    """``embedded`` or ``chat:<model>``."""
    remark: str = ""
    """E.g. that the chat model failed and the embedded brain took over."""


def display_name(by: str) -> str:
    """Who thought, as people read it."""
    return t("agents.embedded") if by == "embedded" else by


def attribution(result: BrainResult[Any]) -> str:
    """Who thought, with what a person should know about how."""
    return (
        f"{display_name(result.by)} ({result.remark})" if result.remark else display_name(result.by)
    )


@dataclass(frozen=True, slots=True)
class RunbookChoice:
    """Which of the found procedures fits, or none; with the reason, in Korean."""

    runbook: str | None
    reason: str


class Brain(Protocol):
    """Judges, and never acts: every answer is a choice from what it was given."""

    def triage(self, text: str, directory: Directory) -> BrainResult[Triage]:
        """Classify a request; ``text`` is untrusted."""
        ...

    def divide(self, text: str, directory: Directory) -> BrainResult[tuple[GoalPiece, ...]]:
        """Cut a goal into pieces of work; ``text`` is untrusted."""
        ...

    def choose(
        self, text: str, found: tuple[RunbookMatch, ...], notes: tuple[str, ...] = ()
    ) -> BrainResult[RunbookChoice]:
        """Pick the procedure to diagnose by from those that the search found.

        ``notes`` are what the agent remembers: data like the request, and as untrusted.
        """
        ...
