"""Card of the requests: how many are in which state, and how many came and ended by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Date, cast, func, select
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.core.labels import SEOUL
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import Issue
from guardia.board.dashboard.cards import CardFilters, Chart, Series
from guardia.i18n import t
from guardia.org.directory import PersonInfo

_OPEN = [state for state in State if state in OPEN_STATES]


@dataclass(frozen=True, slots=True)
class RequestFigures:
    """Open requests by state, and the requests of the period by day."""

    open: int
    by_state: tuple[tuple[State, int], ...]
    chart: Chart


class RequestsCard:
    """Requests that the viewer may see."""

    name = "requests"
    permission = "issue.read"
    template = "dashboard/requests"

    def read(self, board: BoardContext, person: PersonInfo, filters: CardFilters) -> RequestFigures:
        """Count the requests."""
        with board.database.reading() as session:
            counted = _by_state(session, person, filters)
            chart = _by_day(session, person, filters, board.clock())
        return RequestFigures(sum(number for _, number in counted), counted, chart)


def _by_state(
    session: Session, viewer: PersonInfo, filters: CardFilters
) -> tuple[tuple[State, int], ...]:
    query = (
        select(Issue.status, func.count())
        .where(Issue.status.in_([s.value for s in _OPEN]), filters.issues(viewer))
        .group_by(Issue.status)
    )
    found = {row[0]: int(row[1]) for row in session.execute(query)}
    return tuple((state, found[state.value]) for state in _OPEN if state.value in found)


def _by_day(session: Session, viewer: PersonInfo, filters: CardFilters, now: datetime) -> Chart:
    begin = filters.begins(now)
    came = _count_days(session, viewer, filters, Issue.created_at, begin)
    ended = _count_days(session, viewer, filters, Issue.updated_at, begin, only_ended=True)
    first = begin.astimezone(SEOUL).date()
    days = [first + timedelta(days=n) for n in range(filters.days + 1)]
    return Chart(
        t("dashboard.requests.by_day"),
        tuple(f"{day:%m-%d}" for day in days),
        (
            Series(t("dashboard.requests.came"), tuple(came.get(day, 0) for day in days)),
            Series(
                t("dashboard.requests.ended"), tuple(ended.get(day, 0) for day in days), "success"
            ),
        ),
    )


def _count_days(
    session: Session,
    viewer: PersonInfo,
    filters: CardFilters,
    moment: Any,
    begin: datetime,
    *,
    only_ended: bool = False,
) -> dict[date, int]:
    day = cast(func.timezone("Asia/Seoul", moment), Date)
    query = select(day, func.count()).where(moment >= begin, filters.issues(viewer)).group_by(day)
    if only_ended:
        query = query.where(Issue.status.not_in([s.value for s in _OPEN]))
    return {row[0]: int(row[1]) for row in session.execute(query)}
