"""Rules of a clock: when it runs, pauses and stops, what it has counted and when it is due. Pure.

A clock is computed from stored moments alone, so that a restart loses nothing and a day that is
added to the calendar later still counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from guardia.board.core.lifecycle import State
from guardia.board.service_levels.calendar import Calendar

_ZERO = timedelta(0)
_ENDED_WITHOUT = frozenset({State.REJECTED, State.ABORTED, State.ROLLED_BACK})
"""Ends by a decision of people, which no target judges."""


class ClockKind(StrEnum):
    """What a clock measures."""

    RESPONSE = "response"
    RESOLUTION = "resolution"


class ClockState(StrEnum):
    """State of a clock."""

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    KEPT = "KEPT"
    BROKEN = "BROKEN"
    CANCELLED = "CANCELLED"


ENDED = frozenset({ClockState.KEPT, ClockState.BROKEN, ClockState.CANCELLED})


class ClockPhase(StrEnum):
    """What a clock does from a moment on."""

    RUN = "run"
    PAUSE = "pause"
    STOP = "stop"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Moment:
    """The state of an issue from a moment on."""

    at: datetime
    status: State
    is_assigned: bool
    is_waiting: bool
    """Whether a question to the requester is open."""


@dataclass(frozen=True, slots=True)
class Span:
    """A period in which a clock ran; `ends` is `None` while it runs."""

    begins: datetime
    ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock as its moments say."""

    kind: ClockKind
    spans: tuple[Span, ...] = ()
    phase: ClockPhase = ClockPhase.PAUSE
    stopped_at: datetime | None = None

    @property
    def last_at(self) -> datetime | None:
        """The last moment at which it started or stopped."""
        if not self.spans:
            return self.stopped_at
        return self.spans[-1].ends or self.spans[-1].begins


def phase_of(kind: ClockKind, moment: Moment) -> ClockPhase:
    """Return what a clock does in a state of its issue.

    A request is answered once an agent or an engineer has it, or a question was asked. One whose
    repair failed is not resolved. Rejected and aborted requests are judged by no target.
    """
    if kind is ClockKind.RESPONSE:
        unowned = moment.status is State.MANUAL and not moment.is_assigned
        is_new = moment.status is State.RECEIVED and not moment.is_waiting
        return ClockPhase.RUN if unowned or is_new else ClockPhase.STOP
    if moment.status is State.COMPLETED:
        return ClockPhase.STOP
    if moment.status in _ENDED_WITHOUT:
        return ClockPhase.CANCEL
    return ClockPhase.PAUSE if moment.is_waiting else ClockPhase.RUN


def advance(clock: Clock, moment: Moment) -> Clock:
    """Return the clock after a moment. A response, once given, stays given."""
    if clock.kind is ClockKind.RESPONSE and clock.phase is ClockPhase.STOP:
        return clock
    phase = phase_of(clock.kind, moment)
    if phase is clock.phase:
        return clock
    at = max(moment.at, clock.last_at) if clock.last_at else moment.at
    spans = clock.spans
    if clock.phase is ClockPhase.RUN:
        spans = (*spans[:-1], replace(spans[-1], ends=at))
    elif phase is ClockPhase.RUN:
        spans = (*spans, Span(at))
    ended = phase in (ClockPhase.STOP, ClockPhase.CANCEL)
    return replace(clock, spans=spans, phase=phase, stopped_at=at if ended else None)


def used(clock: Clock, calendar: Calendar, now: datetime) -> timedelta:
    """Return the time that a clock has counted until now."""
    return sum(
        (calendar.between(span.begins, span.ends or now) for span in clock.spans), start=_ZERO
    )


def reached_at(clock: Clock, calendar: Calendar, amount: timedelta) -> datetime | None:
    """Return when a clock has counted this much, or will if it keeps running.

    `None` if it is not running and has counted less.
    """
    left = amount
    for span in clock.spans:
        if span.ends is None:
            return calendar.after(span.begins, left)
        counted = calendar.between(span.begins, span.ends)
        if counted > left:
            return calendar.after(span.begins, left)
        left -= counted
    return None


def state_of(clock: Clock, calendar: Calendar, target: timedelta) -> ClockState:
    """Return the state of a clock with a target; it is kept up to exactly the target."""
    if clock.phase is ClockPhase.RUN:
        return ClockState.RUNNING
    if clock.phase is ClockPhase.PAUSE:
        return ClockState.PAUSED
    is_broken = reached_at(clock, calendar, target) is not None
    if clock.phase is ClockPhase.CANCEL:
        return ClockState.BROKEN if is_broken else ClockState.CANCELLED
    return ClockState.BROKEN if is_broken else ClockState.KEPT
