"""Why agents wake: every reason there is. A wake also carries its cause, small JSON that names the
delta: ``{"comment": 12}``, ``{"decision": 7}``, ``{"tick": "2026-11-23T00:00:00+00:00"}``."""

from __future__ import annotations

from enum import StrEnum


class WakeReason(StrEnum):
    """A reason to wake; its text is ``wake.reason.<value>`` in the catalogue."""

    SCHEDULE = "schedule"
    DAILY = "daily"
    """The full verification of the day."""
    ASSIGNMENT = "assignment"
    MENTION = "mention"
    APPROVAL_DECIDED = "approval_decided"
    DIRECTIVE = "directive"
    ORDER = "order"
    """A person wants something undone."""
    RELEASED = "released"
    """The kill switch was lifted."""
    MANUAL = "manual"
    WINDOW_OPEN = "window_open"
    FINISHED = "finished"
    """Work has ended: the auditors verify."""
    RECOVERY = "recovery"
    """Its last beat was lost or ran out of time."""
    GOAL = "goal"
    HIRED = "hired"
    """Agents were hired or fired."""
    RESUMED = "resumed"
    """It was paused, or its issue was stalled."""
    NOTE = "note"
    """Somebody handed over with a note."""
    BUDGET = "budget"
    """A budget was raised or a month began."""


DEFERRABLE = frozenset(
    {
        WakeReason.SCHEDULE,
        WakeReason.MENTION,
        WakeReason.ASSIGNMENT,
        WakeReason.GOAL,
        WakeReason.NOTE,
    }
)
"""What quiet hours hold back, unless a person said it or the issue is urgent."""
URGENT_PRIORITY = "P1"
