"""Alerts that changed in a way that the board does not show yet, and how they are marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from guardia.board.alerts.model import Alert
from guardia.board.alerts.policy import AlertState

STORM = "~storm"
"""Key of the row of a storm of a source, whose issue takes many alerts."""
_BATCH = 500


@dataclass(frozen=True, slots=True)
class ChangedAlert:
    """What settling needs of an alert."""

    alert_id: int
    key: str
    fold: str
    state: str
    rule: str
    severity: str
    rank: int
    worst: int
    summary: str
    host: str
    server_id: str | None
    labels: dict[str, Any]
    url: str
    count: int
    episodes: int
    started_at: datetime
    sr_id: int | None
    silenced_sr: int | None
    silenced_by: int | None

    @property
    def is_firing(self) -> bool:
        """Whether it fires and is not silenced."""
        return self.state == AlertState.FIRING

    @property
    def facts(self) -> dict[str, Any]:
        """What an audit entry keeps of it."""
        names = ("key", "rule", "server_id", "host", "severity", "count")
        return {name: getattr(self, name) for name in names}


_COLUMNS = [getattr(Alert, name) for name in ChangedAlert.__dataclass_fields__]


def changed_alerts(session: Session, source: str) -> list[ChangedAlert]:
    """Return some changed alerts of a source, the most urgent first."""
    query = (
        select(*_COLUMNS)
        .where(Alert.source == source, Alert.unsettled)
        .order_by(Alert.rank, Alert.alert_id)
        .limit(_BATCH)
    )
    return [ChangedAlert(*row) for row in session.execute(query)]


def silenced_alerts(session: Session, source: str, after: int) -> list[ChangedAlert]:
    """Return some silenced alerts of a source in the order of their ids."""
    query = (
        select(*_COLUMNS)
        .where(Alert.source == source, Alert.state == AlertState.SILENCED, Alert.alert_id > after)
        .order_by(Alert.alert_id)
        .limit(_BATCH)
    )
    return [ChangedAlert(*row) for row in session.execute(query)]


def mark_settled(session: Session, alerts: Iterable[ChangedAlert], **values: Any) -> None:
    """Mark alerts as settled, with further values, in one statement."""
    update_alerts(session, alerts, unsettled=False, **values)


def update_alerts(session: Session, alerts: Iterable[ChangedAlert], **values: Any) -> None:
    """Set values of alerts in one statement."""
    session.execute(
        update(Alert)
        .where(Alert.alert_id.in_([one.alert_id for one in alerts]))
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def worst_of(alerts: Sequence[ChangedAlert]) -> int:
    """Return the most urgent rank of some alerts."""
    return min(one.worst for one in alerts)
