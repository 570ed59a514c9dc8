"""The report of kept and broken targets by institution and month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from sqlalchemy import Integer, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue
from guardia.board.service_levels.model import Satisfaction, ServiceClock
from guardia.board.service_levels.policy import ClockState
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org import revisions
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution

_PERMISSION = "service.read"


@dataclass(frozen=True, slots=True)
class ReportLine:
    """Kept and broken targets of one kind and priority of an institution."""

    institution: str
    """Empty: of no known institution."""
    name: str
    kind: str
    priority: str
    kept: int
    broken: int
    overdue: int
    """Broken targets of requests that are still open."""

    @property
    def rate(self) -> float:
        """The share of kept targets, in percent."""
        judged = self.kept + self.broken + self.overdue
        return 100 * self.kept / judged if judged else 100.0


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """A month of service levels."""

    month: str
    lines: tuple[ReportLine, ...]
    score: float | None
    """Average satisfaction from 1 to 5; `None` without answers."""
    answers: int

    @property
    def kept(self) -> int:
        """Kept targets in all."""
        return sum(line.kept for line in self.lines)

    @property
    def broken(self) -> int:
        """Broken targets in all."""
        return sum(line.broken + line.overdue for line in self.lines)

    @property
    def rate(self) -> float:
        """The share of kept targets in all, in percent."""
        judged = self.kept + self.broken
        return 100 * self.kept / judged if judged else 100.0


def month_report(
    board: BoardContext, viewer: PersonInfo | None, month: str = "", institution: str = ""
) -> ServiceReport:
    """Return the report of a month, by default the present one; `None`: for the operator.

    A clock counts in the month in which it stopped; one that is still open and broken counts in
    the month in which its target was exceeded. Raises `Invalid` for another form than `2026-11`.
    """
    if viewer is not None:
        require_permission(viewer, _PERMISSION)
    with board.database.reading() as session:
        _, zone = revisions.service_levels(session)
        name = month.strip() or f"{board.current_time().astimezone(zone):%Y-%m}"
        begins, ends = _month(name, zone)
        lines = _lines(session, begins, ends, institution)
        score, answers = _satisfaction(session, begins, ends, institution)
        return ServiceReport(name, tuple(lines), score, answers)


def _month(name: str, zone: tzinfo) -> tuple[datetime, datetime]:
    try:
        first = date.fromisoformat(f"{name}-01")
    except ValueError:
        raise Invalid(what=name[:40], why=t("service.report.form"), field="month") from None
    following = (first + timedelta(days=32)).replace(day=1)
    begins, ends = (datetime(d.year, d.month, 1, tzinfo=zone) for d in (first, following))
    return begins, ends


def _lines(
    session: Session, begins: datetime, ends: datetime, institution: str
) -> list[ReportLine]:
    state, clock = ServiceClock.state, ServiceClock
    still_open = state.in_([ClockState.RUNNING.value, ClockState.PAUSED.value])
    # Each half is found by an index of its own.
    judged = or_(
        and_(clock.stopped_at >= begins, clock.stopped_at < ends),
        and_(still_open, clock.broken_at >= begins, clock.broken_at < ends),
    )
    query = (
        select(
            func.coalesce(clock.inst_id, "").label("institution"),
            func.coalesce(Institution.inst_name, clock.inst_id, "").label("name"),
            clock.kind,
            clock.priority,
            func.sum(cast(state == ClockState.KEPT.value, Integer)).label("kept"),
            func.sum(cast(state == ClockState.BROKEN.value, Integer)).label("broken"),
            func.sum(cast(still_open, Integer)).label("overdue"),
        )
        .outerjoin(Institution, Institution.inst_id == clock.inst_id)
        .where(judged, state != ClockState.CANCELLED.value)
        .group_by(clock.inst_id, Institution.inst_name, clock.kind, clock.priority)
        .order_by("name", clock.kind.desc(), clock.priority)
    )
    if institution:
        query = query.where(clock.inst_id == institution)
    return [ReportLine(**row._mapping) for row in session.execute(query)]


def _satisfaction(
    session: Session, begins: datetime, ends: datetime, institution: str
) -> tuple[float | None, int]:
    query = select(func.avg(Satisfaction.score), func.count()).where(
        Satisfaction.given_at >= begins, Satisfaction.given_at < ends
    )
    if institution:
        query = query.join(Issue, Issue.sr_id == Satisfaction.sr_id)
        query = query.where(Issue.inst_id == institution)
    score, count = session.execute(query).one()
    return (float(score) if score is not None else None), count
