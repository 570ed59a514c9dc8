"""What an executor gets and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from guardia.board.command.names import Names
from guardia.board.command.structure import Command
from guardia.board.core.context import BoardContext
from guardia.org.directory import PersonInfo


@dataclass(frozen=True, slots=True)
class Order:
    """A command to carry out for a person, with where it came from."""

    board: BoardContext
    person: PersonInfo
    command: Command
    names: Names
    words: str
    """What the person typed: the reason of what follows."""
    channel: str
    command_id: int
    room: str = ""
    thread: str = ""

    @property
    def sr_id(self) -> int:
        """The issue that it names."""
        assert self.command.sr_id is not None
        return self.command.sr_id

    @property
    def target(self) -> str:
        """The person, role, agent, server or institution that it names."""
        return self.command.target or ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a command, for the place where it was asked."""

    text: str
    sr_id: int | None = None
    path: str = ""
    """The page where it shows."""
    undo: Command | None = None
    """The command that takes it back, if it was not the last word anyway."""


@dataclass(frozen=True, slots=True)
class Executor:
    """How one action is carried out."""

    run: Callable[[Order], Outcome]
    permission: Callable[[Command], str]
    confirmed: Callable[[Command], bool] = field(default=lambda _: False)
    """Whether a person must confirm it first."""
    asked_early: Callable[[Command], bool] = field(default=lambda _: False)
    """Whether one with a moment is carried out at once, because approvals come before the work."""


def issue_path(sr_id: int) -> str:
    """Return the page of an issue."""
    return f"/issues/{sr_id}"
