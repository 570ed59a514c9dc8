"""Port that turns actions drafted by people into concrete ones.

The board knows no tools. Its context carries a planner over the tool catalogue, which validates
a draft and derives command, checks and undo, as it does for agents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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


@dataclass(frozen=True, slots=True)
class ArgumentOption:
    """An argument of a tool as a form offers it."""

    name: str
    kind: str
    """Its type with its range, in words."""
    required: bool
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolEntry:
    """A tool of the catalogue as people read about it; names of arguments are in angle brackets."""

    name: str
    family: str
    risk: str
    title: str
    effect: str
    impact: str
    """What users notice while it runs; empty for a read."""
    checks: tuple[str, ...]
    """Sentences of what is checked before and after it."""
    undo: bool
    irreversible: str
    """Why there is no undo, if there is none."""
    kinds: tuple[str, ...]
    platforms: tuple[str, ...]
    requires: tuple[str, ...]
    tried_on: tuple[str, ...]
    manual: str
    """The source of a tool that was written by its vendor's manual."""
    off: bool
    """Whether an operator has to enable it."""


@dataclass(frozen=True, slots=True)
class ReadEvidence:
    """The findings of one read of a diagnosis."""

    tool: str
    args: Mapping[str, Any]
    findings: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Touched:
    """What a change acts on, as its command names it on a server."""

    services: frozenset[str] = frozenset()
    """Empty: the whole server."""
    paths: tuple[str, ...] | None = ()
    """Absolute paths; `None`: not known."""


class Planner(Protocol):
    """Interface to the tool catalogue for plans made by people."""

    def options(self) -> tuple[ToolOption, ...]:
        """Return all changes in the order of the catalogue."""

    def reads(self) -> frozenset[str]:
        """Return the names of all reads."""

    def read_options(self) -> tuple[ToolOption, ...]:
        """Return all reads in the order of the catalogue."""

    def arguments(self, tool: str) -> tuple[ArgumentOption, ...]:
        """Return the arguments of a tool that people give; none of an unknown tool."""

    def build_read(self, draft: ActionDraft) -> ToolCall:
        """Build the call of a read. Raises `Refused` if it is none, `Invalid` for a wrong value."""

    def resolving_read(self, paths: Sequence[str]) -> ToolCall | None:
        """Return the read that resolves links on a server, or `None` if it cannot take the paths.

        Its findings are `paths`: a list of `path` and `real`, empty if it is not known.
        """

    def touched(self, call: ToolCall, host: Host) -> Touched:
        """Return the services and paths of a change; those of an invalid call are not known."""

    def catalogue(self) -> tuple[ToolEntry, ...]:
        """Return every tool, in the order of the catalogue."""

    def build_action(
        self,
        draft: ActionDraft,
        host: Host,
        category: str,
        evidence: Sequence[ReadEvidence] = (),
    ) -> Action:
        """Build the concrete action.

        Raises `Invalid` or `Refused` if the draft is not valid, or if its values contradict the
        evidence.
        """

    def permitted_values(
        self, draft: ActionDraft, evidence: Sequence[ReadEvidence]
    ) -> Mapping[str, tuple[str, ...]]:
        """Return by argument the values that the evidence permits; other arguments are free."""

    def generated_arguments(self, tool: str) -> frozenset[str]:
        """Return the arguments that are made up for each plan and mean nothing to people."""
