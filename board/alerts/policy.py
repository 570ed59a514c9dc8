"""What a report of an alert means, and when its issue may be closed. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from guardia.board.core.lifecycle import OPEN_STATES, State

RECORD_ONLY = 5
"""Rank of alerts that open no issue."""
LATE = timedelta(seconds=60)
"""How long after a resolution an earlier report of the same episode may still arrive."""
MAX_FLAPS = 5
"""Episodes of an issue's alert after which its issue is no longer closed without people."""
_PRIORITIES = ("P1", "P2", "P3", "P4", "-")


class AlertState(StrEnum):
    """State of an alert."""

    FIRING = "FIRING"
    SILENCED = "SILENCED"
    RESOLVED = "RESOLVED"


class Report(StrEnum):
    """What a report means for an alert."""

    NEW = "new"
    REPEAT = "repeat"
    RESOLVED = "resolved"
    STALE = "stale"
    """It arrived late: something newer is known."""


@dataclass(frozen=True, slots=True)
class Episode:
    """What is known of an alert's present or last occurrence."""

    state: AlertState
    name: str
    started_at: datetime
    resolved_at: datetime | None


def judge_report(
    known: Episode | None, *, firing: bool, name: str, started_at: datetime | None, now: datetime
) -> Report:
    """Return what a report means for an alert of which `known` is known."""
    if known is None:
        return Report.NEW if firing else Report.STALE
    if name == known.name:
        return _same_episode(known, firing, now)
    if started_at is not None and started_at < known.started_at:
        return Report.STALE
    if firing:
        return Report.NEW if known.state is AlertState.RESOLVED else Report.REPEAT
    return Report.STALE if known.state is AlertState.RESOLVED else Report.RESOLVED


def _same_episode(known: Episode, firing: bool, now: datetime) -> Report:
    if known.state is not AlertState.RESOLVED:
        return Report.REPEAT if firing else Report.RESOLVED
    if not firing:
        return Report.STALE
    # A source that lost its rule engine for a while resolves and fires with the same start. One
    # without episodes sends in order.
    resolved = known.resolved_at or known.started_at
    return Report.STALE if known.name and now - resolved < LATE else Report.NEW


def priority_of(rank: int) -> str:
    """Return the priority of a rank."""
    return _PRIORITIES[min(rank, 4) - 1]


def parse_ranks(text: str) -> dict[str, int]:
    """Return the rank of each severity of `critical=P1,none=-`. Raises `ValueError`."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, separator, priority = part.partition("=")
        if not separator or not name.strip():
            raise ValueError(part)
        found[name.strip().lower()] = _PRIORITIES.index(priority.strip().upper()) + 1
    return found


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What decides whether work on a task has begun."""

    state: State
    is_claimed: bool
    has_commands: bool


def may_close(tasks: Iterable[TaskFacts], *, person_acted: bool, flaps: int) -> bool:
    """Return whether an issue may be closed because its alerts are resolved.

    Not if an agent or a person works on it, or if commands were sent to its server.
    """
    still_open = [task for task in tasks if task.state in OPEN_STATES]
    untouched = all(
        task.state in (State.RECEIVED, State.PARSED, State.MANUAL)
        and not task.is_claimed
        and not task.has_commands
        for task in still_open
    )
    return bool(still_open) and untouched and not person_acted and flaps < MAX_FLAPS
