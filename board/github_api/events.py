"""The audit log of an issue as GitHub's events. Pure: from an entry to what clients read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from guardia.board.audit.kinds import EntryKind

PARTS = 64
"""Most events of one entry: their numbers are those of the entry times this, and a place."""
_CLOSING = frozenset(
    {
        EntryKind.COMPLETED,
        EntryKind.REJECTED,
        EntryKind.FAILED,
        EntryKind.ALERT_CLOSED,
        EntryKind.REPORT_ENDED,
        EntryKind.GOAL_ACHIEVED,
        EntryKind.GOAL_DROPPED,
    }
)
_CLOSING_VERBS = frozenset({"abort", "complete"})
ENDING_KINDS = (*_CLOSING, EntryKind.ORDERED)
"""Kinds of entries of which some close an issue."""
_FIXED: dict[str, str] = {
    **dict.fromkeys(_CLOSING, "closed"),
    EntryKind.REOPENED: "reopened",
    EntryKind.ALERT_REOPENED: "reopened",
    EntryKind.ISSUE_LOCKED: "locked",
    EntryKind.ISSUE_UNLOCKED: "unlocked",
}
HIDDEN = frozenset(
    {
        EntryKind.COMMENT,
        EntryKind.COMMENT_EDITED,
        EntryKind.INTENT,
        EntryKind.RESULT,
        EntryKind.RESULT_FAILED,
        EntryKind.FOUND_DONE,
        EntryKind.FOUND_UNKNOWN,
        EntryKind.ISSUE_FOLLOWED,
        EntryKind.REACTED,
        EntryKind.REACTION_REMOVED,
    }
)
"""Kinds of entries that are no events: comments and reactions have routes of their own."""


@dataclass(frozen=True, slots=True)
class IssueEvent:
    """One event."""

    number: int
    event: str
    actor: str
    at: datetime
    more: dict[str, Any] = field(default_factory=dict)


def events_of(
    seq: int, kind: str, actor: str, at: datetime, detail: dict[str, Any]
) -> Iterator[IssueEvent]:
    """Yield the events of one entry."""
    for place, (event, more) in enumerate(_names(kind, detail)):
        if place < PARTS:
            yield IssueEvent(seq * PARTS + place, event, actor, at, more)


def is_closing(kind: str, detail: dict[str, Any]) -> bool:
    """Return whether an entry closes an issue."""
    return any(event == "closed" for event, _ in _names(kind, detail))


def _names(kind: str, detail: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if kind == EntryKind.LABELED:
        yield from (("labeled", {"label": name}) for name in detail.get("added", ()))
        yield from (("unlabeled", {"label": name}) for name in detail.get("removed", ()))
    elif kind == EntryKind.ISSUE_ASSIGNED:
        is_given = detail.get("kind") == "person"
        yield ("assigned", {"assignee": detail.get("to")}) if is_given else ("unassigned", {})
    elif kind == EntryKind.ISSUE_EDITED:
        yield _renamed(detail)
    elif kind == EntryKind.ORDERED:
        verb = str(detail.get("verb", ""))
        yield ("closed" if verb in _CLOSING_VERBS else verb or kind, {})
    elif kind == EntryKind.ISSUE_LOCKED:
        yield "locked", {"lock_reason": detail.get("reason")}
    else:
        yield _FIXED.get(kind, kind), {}


def _renamed(detail: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    title = detail.get("title")
    if not isinstance(title, dict):
        return "edited", {}
    return "renamed", {"rename": {"from": title.get("before"), "to": title.get("after")}}
