"""States of a command, and which of them end it."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum


class CommandState(StrEnum):
    """State of a command."""

    CLARIFY = "CLARIFY"
    """A question was asked back."""
    CONFIRM = "CONFIRM"
    """It waits for the person's confirmation."""
    SCHEDULED = "SCHEDULED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    ANSWERED = "ANSWERED"
    """Its question was answered: it went on as a command of its own."""
    REFUSED = "REFUSED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    """Not answered or confirmed in time."""
    MISSED = "MISSED"
    """Its moment passed while nothing ran."""
    UNKNOWN = "UNKNOWN"
    """The process ended while it ran."""


ANSWER_TIME = timedelta(minutes=5)
"""How long a question or confirmation waits."""
UNDO_TIME = timedelta(minutes=10)
"""How long a command can be taken back."""
LATEST_START = timedelta(minutes=10)
"""How late a scheduled command may still start."""
LONGEST_RUN = timedelta(minutes=10)
"""After which a command that is still running was interrupted."""
FARTHEST = timedelta(days=90)
"""How far ahead a command may be scheduled."""
