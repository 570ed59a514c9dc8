"""Silence alerts during our own changes and maintenance windows, visibly, and end silences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from guardia.board.alerts import wording
from guardia.board.alerts.changed import (
    ChangedAlert,
    mark_settled,
    silenced_alerts,
    update_alerts,
)
from guardia.board.alerts.folding import lock_source
from guardia.board.alerts.issue_entries import LOGGED, add_comment
from guardia.board.alerts.policy import AlertState
from guardia.board.alerts.rules import AlertRules
from guardia.board.alerts.servers import index_of
from guardia.board.alerts.silence import Cause, find_causes
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.cmdb import view as cmdb
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.db.engine import repeat_on_conflict


def cause_of(alert: ChangedAlert, causes: Mapping[str, tuple[Cause, ...]]) -> Cause | None:
    """Return what silences an alert now, or `None`."""
    found = causes.get(alert.server_id or "", ())
    return next((one for one in found if one.covers(alert.started_at)), None)


@repeat_on_conflict
def silence(board: BoardContext, source: str, cause: Cause, alerts: Sequence[ChangedAlert]) -> None:
    """Record alerts on the issue of the change, or for the maintenance window; open no issue."""
    now = board.clock()
    with board.database.transaction() as session:
        lock_source(session, source)
        values = {"silenced_sr": cause.sr_id, "silenced_by": cause.window_id}
        mark_settled(session, alerts, state=AlertState.SILENCED, **values)
        if cause.sr_id is not None:
            text = wording.comment("silenced", source, alerts)
            add_comment(session, cause.sr_id, source, text, now)
        log.append(
            session,
            EntryKind.ALERT_SILENCED,
            actor=str(Actor.channel(source)),
            now=now,
            sr_id=cause.sr_id,
            detail={**values, "alerts": [one.facts for one in alerts[:LOGGED]]},
            alerts=wording.names_of(alerts),
            count=len(alerts),
            why=_reason(cause),
        )


def _reason(cause: Cause) -> str:
    if cause.sr_id is not None:
        return wording.change_reason(cause.sr_id)
    return wording.window_reason(cause.window_id or 0)


@repeat_on_conflict
def record(board: BoardContext, source: str, alerts: Sequence[ChangedAlert]) -> None:
    """Keep alerts whose severity opens no issue in the list of alerts only."""
    with board.database.transaction() as session:
        lock_source(session, source)
        mark_settled(session, alerts)


def end_silences(board: BoardContext, source: str, rules: AlertRules) -> None:
    """Have alerts that still fire after what silenced them settled like new ones."""
    last = 0
    while (found := _end_some(board, source, rules, last)) is not None:
        last = found


@repeat_on_conflict
def _end_some(board: BoardContext, source: str, rules: AlertRules, after: int) -> int | None:
    institutions, now = index_of(cmdb.systems(board)).institutions, board.clock()
    with board.database.transaction() as session:
        lock_source(session, source)
        alerts = silenced_alerts(session, source, after)
        if not alerts:
            return None
        known = {one.server_id for one in alerts if one.server_id}
        servers = {name: institutions.get(name, "") for name in known}
        causes = find_causes(session, servers, now, rules.after_change)
        _fire_again(session, [one for one in alerts if cause_of(one, causes) is None])
        return alerts[-1].alert_id


def _fire_again(session: Session, alerts: Sequence[ChangedAlert]) -> None:
    if alerts:
        update_alerts(session, alerts, state=AlertState.FIRING, unsettled=True)
