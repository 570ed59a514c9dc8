"""Types of conversations: a line and its answer, a pressed button and its answer."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic.dataclasses import dataclass as pydantic_dataclass

from guardia.board.core.choices import Choice
from guardia.board.issues.receiving import NewIssue
from guardia.text import CleanStr


@pydantic_dataclass(frozen=True, slots=True)
class RoomLine(NewIssue):
    """A line of a conversation, which is a request unless a step of the pipeline answers it."""

    addressed: bool = False
    """Whether it is meant for GUARDiA: a mention, a slash command, a direct message."""
    board_url: str = ""
    """Address of the pages for links in the answer, without a slash at its end."""
    has_buttons: bool = True
    """Whether the channel shows choices as buttons; if not, a line may name one."""


@dataclass(frozen=True, slots=True)
class ConversationReply:
    """The answer to a line, with buttons where the channel has them; empty: nothing is shown."""

    text: str = ""
    choices: tuple[Choice, ...] = ()


@pydantic_dataclass(frozen=True, slots=True)
class Press:
    """A pressed button, with the person as the channel names them."""

    channel: str
    account: CleanStr
    sender: CleanStr
    room: CleanStr
    thread: CleanStr
    act: str
    value: str
    board_url: str = ""


@dataclass(frozen=True, slots=True)
class PressReply:
    """The answer to a press."""

    text: str
    replaces: bool
    """Whether everybody reads it in place of the message; if not, only the person does."""
    link: str = ""
    """Address of a page, shown below the text."""
    notice: str = ""
    """What only the person reads beside the text that replaces the message."""
    choices: tuple[Choice, ...] = ()
    """Buttons of the message that replaces the other: a question that follows from the press."""
