"""What people are notified of."""

from __future__ import annotations

from enum import StrEnum


class NoticeKind(StrEnum):
    """Why a person receives a notice."""

    DUE = "due"
    """A decision waits for them."""
    REMINDER = "reminder"
    ESCALATED = "escalated"
    ASSIGNED = "assigned"
    QUESTION = "question"
    MENTION = "mention"
    COMMENT = "comment"
    """A comment on an issue that they follow."""
    RECEIVED = "received"
    PLANNED = "planned"
    DONE = "done"
    REJECTED = "rejected"
    PROGRESS = "progress"
    """Anything else that the requester learns of a request."""
    ALERT = "alert"
    """Something that people who operate should know, not urgent."""
    SERVICE_DUE = "service_due"
    """Most of a request's target time has passed."""
    SERVICE_LATE = "service_late"
    """A request has exceeded its target time."""
    STALLED = "stalled"
    FAILED_ROLLBACK = "failed_rollback"
    KILL_SWITCH = "kill_switch"
    AUDIT_BROKEN = "audit_broken"
    ON_CALL = "on_call"
    """An emergency that waits for a person to acknowledge it."""


EMERGENCIES = frozenset(
    {NoticeKind.FAILED_ROLLBACK, NoticeKind.KILL_SWITCH, NoticeKind.AUDIT_BROKEN}
)
"""Sent at once, even in quiet hours; the people on duty are called until one answers."""
