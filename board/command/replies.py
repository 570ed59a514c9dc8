"""The answer to a command, and who may give one."""

from __future__ import annotations

from dataclasses import dataclass

from guardia.board.command.lifecycle import CommandState
from guardia.board.command.structure import Command
from guardia.board.core.choices import Choice

RIGHT = "command.give"
CANCELS_OTHERS = "directive.abort"
"""Who may abort anybody's work also sees and cancels anybody's scheduled commands."""


@dataclass(frozen=True, slots=True)
class CommandReply:
    """What a person gets for a line: how it was read, and what became of it."""

    command: Command
    sentence: str
    text: str
    state: CommandState | None = None
    """`None`: nothing was done and nothing is stored."""
    command_id: int | None = None
    sr_id: int | None = None
    path: str = ""
    """The page where its result shows."""
    choices: tuple[Choice, ...] = ()
