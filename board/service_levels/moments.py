"""Move the clocks of issues by the stored changes of these issues."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from guardia.board.assignment.model import Question
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue
from guardia.board.service_levels import days, policy
from guardia.board.service_levels.days import Calendars
from guardia.board.service_levels.model import ServiceClock, ServiceMoment
from guardia.board.service_levels.policy import (
    Clock,
    ClockKind,
    ClockPhase,
    ClockState,
    Moment,
    Span,
)
from guardia.db.engine import repeat_on_conflict
from guardia.org.service_levels import DEFAULT_PRIORITY, Target

_BATCH = 200
"""Issues whose clocks one transaction moves."""
_LOCK = 660_001
_PERCENT = 100


@repeat_on_conflict
def follow_moments(board: BoardContext) -> int:
    """Move the clocks of up to a batch of changed issues; return how many issues those were.

    One host at a time does so, which keeps the order of the moments of an issue.
    """
    now = board.clock()
    with board.database.transaction() as session:
        if not session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))):
            return 0
        first = select(ServiceMoment.sr_id).order_by(ServiceMoment.moment_id).limit(_BATCH)
        numbers = set(session.scalars(first))
        if not numbers:
            return 0
        taken = session.scalars(
            delete(ServiceMoment).where(ServiceMoment.sr_id.in_(numbers)).returning(ServiceMoment)
        ).all()
        _follow(session, numbers, sorted(taken, key=lambda one: one.moment_id), now)
        return len(numbers)


def _follow(
    session: Session, numbers: set[int], taken: Sequence[ServiceMoment], now: datetime
) -> None:
    issues = {i.sr_id: i for i in session.scalars(select(Issue).where(Issue.sr_id.in_(numbers)))}
    waiting = set(
        session.scalars(
            select(Question.sr_id).where(Question.sr_id.in_(numbers), Question.state == "OPEN")
        )
    )
    known: dict[int, list[ServiceClock]] = {}
    for row in session.scalars(select(ServiceClock).where(ServiceClock.sr_id.in_(numbers))):
        known.setdefault(row.sr_id, []).append(row)
    calendars = days.load(session)
    for number in sorted(issues):
        issue = issues[number]
        own = [one for one in taken if one.sr_id == number]
        rows = known.get(number) or _start(session, issue, own, calendars)
        # What is true now comes last: changes may have been committed in another order.
        truth = _truth(issue, now, is_waiting=number in waiting)
        for row in rows:
            for moment in own:
                _advance(row, _moment(moment))
            _advance(row, truth)
            _settle(row, issue, calendars, now)


def _moment(row: ServiceMoment) -> Moment:
    return Moment(row.at, State(row.status), row.is_assigned, row.is_waiting)


def _truth(issue: Issue, now: datetime, *, is_waiting: bool) -> Moment:
    return Moment(now, State(issue.status), issue.assignee_id is not None, is_waiting)


def _start(
    session: Session, issue: Issue, own: Iterable[ServiceMoment], calendars: Calendars
) -> list[ServiceClock]:
    """Return new clocks of an issue that was just opened, if it has a target."""
    if not any(one.is_new for one in own):
        return []
    target = calendars.levels.target(issue.category, issue.priority)
    if target is None:
        return []
    rows = [
        ServiceClock(
            sr_id=issue.sr_id,
            kind=kind.value,
            state=ClockState.PAUSED.value,
            phase=ClockPhase.PAUSE.value,
            spans=[],
            started_at=issue.created_at,
            priority=issue.priority or DEFAULT_PRIORITY,
            hours=target.hours,
            target_seconds=_seconds(target, kind),
        )
        for kind in ClockKind
    ]
    session.add_all(rows)
    return rows


def _advance(row: ServiceClock, moment: Moment) -> None:
    clock = policy.advance(clock_of(row), moment)
    row.phase, row.stopped_at = clock.phase.value, clock.stopped_at
    row.spans = [_stored(span) for span in clock.spans]


def _settle(row: ServiceClock, issue: Issue, calendars: Calendars, now: datetime) -> None:
    """Set what follows from the periods in which a clock ran."""
    _set_target(row, issue, calendars)
    clock, calendar = clock_of(row), calendars.of(row.hours, row.inst_id)
    target = timedelta(seconds=row.target_seconds)
    reached = policy.reached_at(clock, calendar, target)
    row.state = policy.state_of(clock, calendar, target).value
    row.due_at = reached if clock.phase is ClockPhase.RUN else None
    row.broken_at = reached if reached is not None and reached < now else None
    if row.broken_at is None:
        # The target or the calendar has changed: it is not exceeded any more.
        row.notified_at = row.escalated_at = None
    plan_next(row, calendars)


def _set_target(row: ServiceClock, issue: Issue, calendars: Calendars) -> None:
    """Take over what decides about the target, which triage and people change."""
    before = row.category, row.priority
    row.inst_id, row.category = issue.inst_id, issue.category
    row.priority = issue.priority or DEFAULT_PRIORITY
    target = calendars.levels.target(row.category, row.priority)
    if target is not None and (row.category, row.priority) != before:
        row.hours = target.hours
        row.target_seconds = _seconds(target, ClockKind(row.kind))


def plan_next(row: ServiceClock, calendars: Calendars) -> None:
    """Set when the scheduler has to look at a clock next; `None` if it has nothing to say."""
    row.next_at = None
    if row.phase != ClockPhase.RUN.value:
        return
    clock, levels = clock_of(row), calendars.levels
    percent = _PERCENT + levels.escalate_after
    if row.warned_at is None and row.notified_at is None:
        percent = levels.warn_at
    elif row.notified_at is None:
        percent = _PERCENT
    elif row.escalated_at is not None:
        return
    amount = timedelta(seconds=row.target_seconds * percent / _PERCENT)
    row.next_at = policy.reached_at(clock, calendars.of(row.hours, row.inst_id), amount)


def clock_of(row: ServiceClock) -> Clock:
    """Return a stored clock as a value."""
    return Clock(
        ClockKind(row.kind),
        tuple(_span(one) for one in row.spans),
        ClockPhase(row.phase),
        row.stopped_at,
    )


def _span(stored: dict[str, Any]) -> Span:
    ends = stored.get("until")
    return Span(
        datetime.fromisoformat(stored["from"]), datetime.fromisoformat(ends) if ends else None
    )


def _stored(span: Span) -> dict[str, Any]:
    return {
        "from": span.begins.isoformat(),
        "until": span.ends.isoformat() if span.ends else None,
    }


def _seconds(target: Target, kind: ClockKind) -> int:
    wanted = target.response if kind is ClockKind.RESPONSE else target.resolution
    return int(wanted.total_seconds())
