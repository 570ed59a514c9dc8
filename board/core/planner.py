"""How a person's own words about a plan become concrete: a port that the board leaves open.

The board knows no tool. Whoever runs it gives its desk a planner over the catalogue, which checks
what people write and works out command, checks and undo, as it does for agents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from guardia.board.core.plan import Action, ToolCall
from guardia.org.directory import Host


@dataclass(frozen=True, slots=True)
class ActionDraft:
    """One action as a person writes it; nothing of it has been checked."""

    tool: str
    args: Mapping[str, str]

    @classmethod
    def of(cls, call: ToolCall) -> ActionDraft:
        """A call as a form shows it, and gets it back where nothing was changed."""
        return cls(call.tool, {name: str(value) for name, value in call.args.items()})


@dataclass(frozen=True, slots=True)
class ToolOption:
    """A change that the catalogue has, for people to choose."""

    tool: str
    title: str
    arguments: tuple[str, ...]


class Planner(Protocol):
    """The catalogue, as people who plan need it."""

    def options(self) -> tuple[ToolOption, ...]:
        """Every change there is, in the catalogue's order."""

    def build_action(self, draft: ActionDraft, host: Host, category: str) -> Action:
        """The concrete action; ``Invalid`` or ``Refused`` with the reason where there is none."""
