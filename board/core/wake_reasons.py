"""Reasons to wake an agent.

A wake also carries its cause, small JSON that names what changed: `{"comment": 12}`,
`{"decision": 7}`, `{"tick": "2026-11-23T00:00:00+00:00"}`.
"""

from __future__ import annotations

from enum import StrEnum


class WakeReason(StrEnum):
    """A reason to wake; its text is `wake.reason.<value>` in the catalogue."""

    SCHEDULE = "schedule"
    DAILY = "daily"
    """Daily full verification."""
    ASSIGNMENT = "assignment"
    MENTION = "mention"
    APPROVAL_DECIDED = "approval_decided"
    DIRECTIVE = "directive"
    ORDER = "order"
    """A directive demands a rollback."""
    RELEASED = "released"
    """The kill switch was released."""
    MANUAL = "manual"
    WINDOW_OPEN = "window_open"
    SERVER_FREE = "server_free"
    """The change of its server that its task waited for has ended."""
    FINISHED = "finished"
    """Work has ended and auditors verify it."""
    RECOVERY = "recovery"
    """The last beat was lost or timed out."""
    GOAL = "goal"
    HIRED = "hired"
    """Agents were hired or fired."""
    RESUMED = "resumed"
    """The agent is no longer paused, or its issue no longer stalled."""
    NOTE = "note"
    """Work was handed over with a note."""
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
"""Reasons deferred by quiet hours, unless a person acts or the issue is urgent."""
URGENT_PRIORITY = "P1"
