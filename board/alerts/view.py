"""Read alerts and maintenance windows for the page and the commands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, false, func, or_, select, true, tuple_
from sqlalchemy.orm import Session

from guardia.board.alerts.changed import STORM
from guardia.board.alerts.maintenance import scope_of
from guardia.board.alerts.model import Alert, MaintenanceWindow
from guardia.board.alerts.policy import RECORD_ONLY, AlertState, priority_of
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.site_rules.wording import place_text
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

PAGE_SIZE = 50
_MOST_WINDOWS = 200


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert."""

    alert_id: int
    source: str
    state: AlertState
    rule: str
    severity: str
    priority: str
    """Empty: recorded only."""
    summary: str
    place: str
    is_known: bool
    count: int
    started_at: datetime
    last_seen: datetime
    sr_id: int | None
    silenced_sr: int | None
    silenced_by: int | None
    url: str


@dataclass(frozen=True, slots=True)
class AlertPage:
    """One page of alerts, the newest report first, and how many there are in each state."""

    alerts: tuple[AlertView, ...]
    counts: dict[str, int]
    following: str
    """Where the next page begins; empty on the last."""


@dataclass(frozen=True, slots=True)
class WindowView:
    """One maintenance window."""

    window_id: int
    place: str
    begins_at: datetime
    ends_at: datetime
    reason: str
    declared_by: str
    ended_at: datetime | None
    is_open: bool
    """Whether it is not over: it may still begin."""
    is_active: bool


def list_alerts(
    board: BoardContext, viewer: PersonInfo, *, state: str = "", before: str = ""
) -> AlertPage:
    """Return one page of alerts in a state, or in any; `before` comes from the last page."""
    require_permission(viewer, "alert.read")
    wanted = Alert.state.in_([state] if state in set(AlertState) else list(AlertState))
    query = select(Alert).where(Alert.key != STORM, wanted)
    if (place := _parse_place(before)) is not None:
        query = query.where(tuple_(Alert.last_seen, Alert.alert_id) < place)
    query = query.order_by(Alert.last_seen.desc(), Alert.alert_id.desc()).limit(PAGE_SIZE + 1)
    with board.database.reading() as session:
        rows = session.scalars(query).all()
        counted = select(Alert.state, func.count()).where(Alert.key != STORM).group_by(Alert.state)
        counts = {name: int(number) for name, number in session.execute(counted)}
    shown = rows[:PAGE_SIZE]
    last = shown[-1] if len(rows) > PAGE_SIZE else None
    following = f"{last.last_seen.isoformat()}_{last.alert_id}" if last else ""
    return AlertPage(tuple(map(_view, shown)), counts, following)


def _parse_place(text: str) -> tuple[datetime, int] | None:
    moment, _, number = text.rpartition("_")
    try:
        return datetime.fromisoformat(moment), int(number[:18])
    except ValueError:
        return None


def _view(row: Alert) -> AlertView:
    silenced = row.state == AlertState.SILENCED
    return AlertView(
        alert_id=row.alert_id,
        source=row.source,
        state=AlertState(row.state),
        rule=row.rule,
        severity=row.severity,
        priority="" if row.worst >= RECORD_ONLY else priority_of(row.worst),
        summary=row.summary,
        place=row.server_id or row.host or "-",
        is_known=row.server_id is not None,
        count=row.count,
        started_at=row.started_at,
        last_seen=row.last_seen,
        sr_id=row.sr_id,
        silenced_sr=row.silenced_sr if silenced else None,
        silenced_by=row.silenced_by if silenced else None,
        url=row.url if row.url.startswith(("http://", "https://")) else "",
    )


def list_windows(
    board: BoardContext, viewer: PersonInfo | None, *, ended: bool = False
) -> tuple[WindowView, ...]:
    """Return the windows that are not over, or also those that are; the latest first.

    `viewer` is `None` for the operator.
    """
    if viewer is not None:
        require_permission(viewer, "maintenance.read")
    now = board.current_time()
    current = and_(MaintenanceWindow.ended_at.is_(None), MaintenanceWindow.ends_at > now)
    query = select(MaintenanceWindow).where(or_(current, true() if ended else false()))
    query = query.order_by(MaintenanceWindow.window_id.desc()).limit(_MOST_WINDOWS)
    with board.database.reading() as session:
        rows = session.scalars(query).all()
        return tuple(_window(session, row, now) for row in rows)


def _window(session: Session, row: MaintenanceWindow, now: datetime) -> WindowView:
    names = display_names_of(session, {row.declared_by})
    is_open = row.ended_at is None and row.ends_at > now
    return WindowView(
        window_id=row.window_id,
        place=place_text(scope_of(row.scope)),
        begins_at=row.begins_at,
        ends_at=row.ends_at,
        reason=row.reason,
        declared_by=names.get(row.declared_by, row.declared_by),
        ended_at=row.ended_at,
        is_open=is_open,
        is_active=is_open and row.begins_at <= now,
    )
