"""Fold the alerts of waiting deliveries into their rows, in a few statements for any number."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from guardia.board.alerts.incoming import ALERTS, MAX_NAME, IncomingAlert
from guardia.board.alerts.model import Alert, AlertDelivery
from guardia.board.alerts.policy import AlertState, Episode, Report, judge_report
from guardia.board.alerts.rules import AlertRules
from guardia.board.alerts.servers import ServerIndex, index_of
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.cmdb import view as cmdb
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.labels import log_label
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue
from guardia.db.engine import driver_connection, repeat_on_conflict

_DELIVERIES = 50
_ALERTS = 2000
_KEPT = timedelta(hours=1)
_UNREPAIRED = (State.COMPLETED, State.ROLLED_BACK, State.FAILED_ROLLBACK)
"""Ends of an issue after which an alert that goes on firing is not settled."""


@dataclass(slots=True)
class AlertRow:
    """A row of `tb_alert` while reports are folded into it."""

    source: str
    key: str
    fold: str
    episode: str
    state: str
    rule: str
    severity: str
    rank: int
    worst: int
    summary: str
    host: str
    server_id: str | None
    labels: dict[str, str]
    url: str
    count: int
    episodes: int
    started_at: datetime
    first_seen: datetime
    last_seen: datetime
    resolved_at: datetime | None
    unsettled: bool

    @property
    def known(self) -> Episode:
        """What the policy needs of it."""
        state = AlertState(self.state)
        return Episode(state, self.episode, self.started_at, self.resolved_at)


_FIELDS = tuple(AlertRow.__dataclass_fields__)
_UPSERT = f"""
    insert into tb_alert ({", ".join(_FIELDS)})
    select {", ".join(_FIELDS)} from jsonb_populate_recordset(null::tb_alert, %s::jsonb)
    on conflict (source, key) do update set
        {", ".join(f"{name} = excluded.{name}" for name in _FIELDS[2:])}
"""
_LOCK = text("select pg_advisory_xact_lock(7127053, hashtext(:source))")


def lock_source(session: Session, source: str) -> None:
    """Serialize what changes the alerts of a source, until this transaction ends."""
    session.execute(_LOCK, {"source": source})


def fold_waiting(board: BoardContext, source: str, rules: AlertRules) -> None:
    """Fold all waiting deliveries of a source, the oldest first."""
    while _fold_some(board, source, rules):
        pass


@repeat_on_conflict
def _fold_some(board: BoardContext, source: str, rules: AlertRules) -> bool:
    servers, now = index_of(cmdb.systems(board)), board.clock()
    with board.database.transaction() as session:
        lock_source(session, source)
        deliveries = _oldest_deliveries(session, source)
        if not deliveries:
            return False
        reports = [
            (alert, one.received_at)
            for one in deliveries
            for alert in ALERTS.validate_python(one.alerts)
        ]
        rows = _load(session, source, {alert.key for alert, _ in reports})
        unsettled = _unsettled_issues(session, rows.values(), now - rules.after_change)
        folded = dict[str, AlertRow]()
        for alert, received_at in reports:
            known = rows.get(alert.key)
            row = _fold(known[0] if known else None, alert, source, servers, rules, received_at)
            if row is not None:
                row.unsettled |= row.state == AlertState.FIRING and _sr(known) in unsettled
                folded[alert.key] = row
                rows[alert.key] = row, _sr(known)
        _save(session, list(folded.values()))
        _finish(session, source, deliveries, now)
        return True


def _sr(known: tuple[AlertRow, int | None] | None) -> int | None:
    return known[1] if known else None


def _oldest_deliveries(session: Session, source: str) -> list[AlertDelivery]:
    """Return waiting deliveries in order, up to a bounded number of alerts."""
    query = (
        select(AlertDelivery)
        .where(AlertDelivery.source == source, AlertDelivery.folded_at.is_(None))
        .order_by(AlertDelivery.delivery_id)
        .limit(_DELIVERIES)
    )
    found, total = list[AlertDelivery](), 0
    for one in session.scalars(query):
        total += len(one.alerts)
        if found and total > _ALERTS:
            break
        found.append(one)
    return found


def _load(session: Session, source: str, keys: set[str]) -> dict[str, tuple[AlertRow, int | None]]:
    columns = [getattr(Alert, name) for name in _FIELDS]
    query = select(Alert.sr_id, *columns).where(Alert.source == source, Alert.key.in_(keys))
    return {row.key: (AlertRow(*row[1:]), row.sr_id) for row in session.execute(query)}


def _unsettled_issues(
    session: Session, rows: Iterable[tuple[AlertRow, int | None]], ended_before: datetime
) -> frozenset[int | None]:
    """Return the issues of rows that ended a while ago, although their alerts still fire."""
    numbers = {sr_id for _, sr_id in rows if sr_id is not None}
    if not numbers:
        return frozenset()
    query = select(Issue.sr_id).where(
        Issue.sr_id.in_(numbers),
        Issue.status.in_(_UNREPAIRED),
        Issue.updated_at < ended_before,
    )
    return frozenset(session.scalars(query))


def _fold(
    row: AlertRow | None,
    alert: IncomingAlert,
    source: str,
    servers: ServerIndex,
    rules: AlertRules,
    now: datetime,
) -> AlertRow | None:
    """Return the row after a report, or `None` if it changes nothing."""
    started_at = alert.started_at and min(alert.started_at, now)
    report = judge_report(
        row.known if row else None,
        firing=alert.firing,
        name=alert.episode,
        started_at=started_at,
        now=now,
    )
    fresh = _new_row(alert, source, servers, rules, started_at or now, now)
    if row is None:
        fresh.state = AlertState.FIRING if alert.firing else AlertState.RESOLVED
        fresh.unsettled = alert.firing
        return fresh
    if report is Report.STALE:
        return None
    if report is Report.RESOLVED:
        row.state, row.resolved_at, row.last_seen = AlertState.RESOLVED, now, now
        row.unsettled = True
        return row
    if report is Report.NEW:
        fresh.first_seen, fresh.episodes, fresh.unsettled = row.first_seen, row.episodes + 1, True
        return fresh
    return _repeat(row, fresh)


def _new_row(
    alert: IncomingAlert,
    source: str,
    servers: ServerIndex,
    rules: AlertRules,
    started_at: datetime,
    now: datetime,
) -> AlertRow:
    server, host = servers.find(alert.hosts), next(iter(alert.hosts), "")[:MAX_NAME]
    rank = rules.rank_of(alert.severity)
    return AlertRow(
        source=source,
        key=alert.key,
        fold=f"{alert.group or alert.rule}|{server or host}",
        episode=alert.episode,
        state=AlertState.FIRING,
        rule=alert.rule,
        severity=alert.severity,
        rank=rank,
        worst=rank,
        summary=alert.summary,
        host=host,
        server_id=server,
        labels=alert.labels,
        url=alert.url,
        count=1,
        episodes=1,
        started_at=started_at,
        first_seen=now,
        last_seen=now,
        resolved_at=None,
        unsettled=True,
    )


def _repeat(row: AlertRow, fresh: AlertRow) -> AlertRow:
    """Count one more notification; it is news only if it is more urgent than before."""
    row.unsettled |= fresh.rank < row.worst and row.state == AlertState.FIRING
    row.count, row.last_seen, row.episode = row.count + 1, fresh.last_seen, fresh.episode
    row.rank, row.worst = fresh.rank, min(row.worst, fresh.rank)
    row.severity, row.summary, row.labels = fresh.severity, fresh.summary, fresh.labels
    return row


def _save(session: Session, rows: Sequence[AlertRow]) -> None:
    if rows:
        data = json.dumps([asdict(row) for row in rows], default=_as_json)
        driver_connection(session).execute(_UPSERT, (data,))


def _as_json(value: datetime) -> str:
    return value.isoformat()


def _finish(
    session: Session, source: str, deliveries: Sequence[AlertDelivery], now: datetime
) -> None:
    """Mark deliveries as folded, forget old ones, and log what a source has left out."""
    numbers = [one.delivery_id for one in deliveries]
    session.execute(
        update(AlertDelivery)
        .where(AlertDelivery.delivery_id.in_(numbers))
        .values(folded_at=now, alerts=[])
        .execution_options(synchronize_session=False)
    )
    session.execute(
        delete(AlertDelivery)
        .where(AlertDelivery.received_at < now - _KEPT, AlertDelivery.folded_at.is_not(None))
        .execution_options(synchronize_session=False)
    )
    omitted = sum(one.omitted for one in deliveries)
    if omitted:
        log.append(
            session,
            EntryKind.ALERTS_OMITTED,
            actor=str(Actor.channel(source)),
            now=now,
            detail={"source": source, "omitted": omitted},
            source=log_label("web.channel", source),
            count=omitted,
        )
