"""Port that turns actions drafted by people into concrete ones.

The board knows no tools. Its context carries a planner over the tool catalogue, which validates
a draft and derives command, checks and undo, as it does for agents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from guardia.board.core.plan import Action, ToolCall
from guardia.org.directory import Host


@dataclass(frozen=True, slots=True)
class ActionDraft:
    """One action as entered by a person, unchecked."""

    tool: str
    args: Mapping[str, str]

    @classmethod
    def of(cls, call: ToolCall) -> ActionDraft:
        """Return the draft that a form shows for a call."""
        return cls(call.tool, {name: str(value) for name, value in call.args.items()})


@dataclass(frozen=True, slots=True)
class ToolOption:
    """A change that people can choose from the catalogue."""

    tool: str
    title: str
    arguments: tuple[str, ...]


class Planner(Protocol):
    """Interface to the tool catalogue for plans made by people."""

    def options(self) -> tuple[ToolOption, ...]:
        """Return all changes in the order of the catalogue."""

    def build_action(self, draft: ActionDraft, host: Host, category: str) -> Action:
        """Build the concrete action. Raises `Invalid` or `Refused` if the draft is not valid."""
