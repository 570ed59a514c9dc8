"""What pages and commands read of service levels: time left, expected times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue
from guardia.board.service_levels import days, moments, policy
from guardia.board.service_levels.days import Calendars
from guardia.board.service_levels.model import ServiceClock
from guardia.board.service_levels.policy import ENDED, ClockKind, ClockState
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo

_HISTORY = 50
"""Like requests whose times are compared."""
_ENOUGH = 5
"""Fewer like requests say nothing about the next one."""


@dataclass(frozen=True, slots=True)
class ClockView:
    """A clock of an issue as people see it."""

    kind: str
    state: str
    due_at: datetime | None
    left: timedelta
    """Counted time that is left; negative once the target is exceeded."""
    target: timedelta
    hours: str
    stopped_at: datetime | None

    @property
    def tone(self) -> str:
        """`late`, `soon`, `running`, `paused`, `kept`, `broken` or `cancelled`."""
        if self.state == ClockState.RUNNING:
            if self.left <= timedelta(0):
                return "late"
            return "soon" if self.left < self.target / 5 else "running"
        if self.state == ClockState.PAUSED and self.left <= timedelta(0):
            return "late"
        return self.state.lower()


@dataclass(frozen=True, slots=True)
class Expected:
    """When a requester may expect the end."""

    by: datetime | None
    """The target; `None` while a clock is paused or without a target."""
    usual: timedelta | None
    """The median of like requests; `None` if there are too few."""
    count: int


def clocks_within(
    session: Session, numbers: Iterable[int], now: datetime
) -> dict[int, tuple[ClockView, ...]]:
    """Return the clocks of issues by number: one query for the whole list."""
    wanted = list(numbers)
    if not wanted:
        return {}
    query = select(ServiceClock).where(ServiceClock.sr_id.in_(wanted)).order_by(ServiceClock.kind)
    rows = session.scalars(query).all()
    if not rows:
        return {}
    calendars, found = days.load(session), dict[int, list[ClockView]]()
    for row in rows:
        found.setdefault(row.sr_id, []).append(_view(row, calendars, now))
    return {number: tuple(reversed(clocks)) for number, clocks in found.items()}


def clocks_of(
    board: BoardContext, viewer: PersonInfo, numbers: Iterable[int]
) -> dict[int, ClockView]:
    """Return the clock of each issue that a list shows; nothing for customers."""
    if not is_allowed(viewer, "service.read"):
        return {}
    with board.database.reading() as session:
        found = clocks_within(session, numbers, board.current_time())
    shown = {number: most_urgent(clocks) for number, clocks in found.items()}
    return {number: one for number, one in shown.items() if one is not None}


def most_urgent(clocks: Iterable[ClockView]) -> ClockView | None:
    """Return the clock that a list shows: the running one that is due first, or the resolution."""
    known = list(clocks)
    running = [(one.due_at, one) for one in known if one.due_at is not None]
    if running:
        return min(running, key=lambda pair: pair[0])[1]
    return next((one for one in known if one.kind == ClockKind.RESOLUTION), None)


def expected_within(session: Session, issue: Issue, now: datetime) -> Expected:
    """Return when the requester of an open issue may expect its end."""
    clock = session.get(ServiceClock, (issue.sr_id, ClockKind.RESOLUTION.value))
    due = clock.due_at if clock is not None else None
    usual, count = usual_time(session, issue.category, issue.priority)
    return Expected(due if due is not None and due > now else None, usual, count)


def usual_time(
    session: Session, category: str | None, priority: str | None
) -> tuple[timedelta | None, int]:
    """Return the median time of the last like requests from filing to end, and their number."""
    query = (
        select(ServiceClock.started_at, ServiceClock.stopped_at)
        .where(
            ServiceClock.kind == ClockKind.RESOLUTION.value,
            ServiceClock.state.in_([ClockState.KEPT.value, ClockState.BROKEN.value]),
            ServiceClock.category == category
            if category is not None
            else ServiceClock.category.is_(None),
            ServiceClock.priority == (priority or "P3"),
            ServiceClock.stopped_at.is_not(None),
        )
        .order_by(ServiceClock.stopped_at.desc())
        .limit(_HISTORY)
    )
    lengths = sorted(ends - begins for begins, ends in session.execute(query) if ends)
    if len(lengths) < _ENOUGH:
        return None, len(lengths)
    return lengths[len(lengths) // 2], len(lengths)


def _view(row: ServiceClock, calendars: Calendars, now: datetime) -> ClockView:
    target = timedelta(seconds=row.target_seconds)
    spent = policy.used(moments.clock_of(row), calendars.of(row.hours, row.inst_id), now)
    return ClockView(
        row.kind,
        row.state,
        row.due_at,
        timedelta(0) if row.state in ENDED else target - spent,
        target,
        row.hours,
        row.stopped_at,
    )
