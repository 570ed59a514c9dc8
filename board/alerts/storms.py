"""One issue takes the alerts of a storm: more than a source may open issues for in a minute."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.alerts import wording
from guardia.board.alerts.changed import STORM, ChangedAlert, mark_settled, worst_of
from guardia.board.alerts.folding import lock_source
from guardia.board.alerts.issue_entries import add_comment
from guardia.board.alerts.model import Alert
from guardia.board.alerts.policy import AlertState, priority_of
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES
from guardia.board.core.model import Issue
from guardia.board.issues import receiving
from guardia.db.engine import repeat_on_conflict
from guardia.i18n import t_default


@repeat_on_conflict
def join_storm(
    board: BoardContext, source: str, alerts: Sequence[ChangedAlert], per_minute: int
) -> None:
    """Give alerts to the open storm issue of a source, or to a new one."""
    now = board.clock()
    with board.database.transaction() as session:
        lock_source(session, source)
        storm = _storm_row(session, source)
        if storm is not None and _is_open(session, storm.sr_id):
            _grow(session, source, storm, alerts, now)
            return
        new_issue = receiving.NewIssue(
            text=wording.storm_text(source, alerts, per_minute),
            title=t_default("alerts.storm.title", source=wording.source_name(source)),
            channel=source,
            sender=wording.source_name(source),
            kind="INCIDENT",
            priority=priority_of(worst_of(alerts)),
            # No agent works on a storm: people find its cause.
            triage={"given": {"kind": "INCIDENT", "servers": []}},
            origin={"storm": len(alerts), "per_minute": per_minute},
        )
        sr_id = receiving.receive_within(session, new_issue, now)
        _begin(session, source, storm, sr_id, len(alerts), now)
        mark_settled(session, alerts, sr_id=sr_id)
        _log(session, source, sr_id, len(alerts), now)


def is_raging(session: Session, source: str, since: datetime) -> bool:
    """Return whether the open storm issue of a source has got alerts since then."""
    storm = _storm_row(session, source)
    return storm is not None and storm.last_seen > since and _is_open(session, storm.sr_id)


def joined_open_storm(
    session: Session, source: str, sr_id: int, alerts: Sequence[ChangedAlert], now: datetime
) -> bool:
    """Count changed alerts of a storm issue; `False` if the issue is none."""
    storm = _storm_row(session, source)
    if storm is None or storm.sr_id != sr_id:
        return False
    _grow(session, source, storm, alerts, now)
    return True


def end_storm(session: Session, source: str, sr_id: int, now: datetime) -> None:
    """Mark the storm of an issue as over."""
    storm = _storm_row(session, source)
    if storm is not None and storm.sr_id == sr_id:
        storm.state, storm.resolved_at = AlertState.RESOLVED, now


def _storm_row(session: Session, source: str) -> Alert | None:
    return session.scalar(select(Alert).where(Alert.source == source, Alert.key == STORM))


def _is_open(session: Session, sr_id: int | None) -> bool:
    status = session.scalar(select(Issue.status).where(Issue.sr_id == sr_id))
    return status in OPEN_STATES


def _begin(
    session: Session, source: str, storm: Alert | None, sr_id: int, count: int, now: datetime
) -> None:
    if storm is None:
        texts = dict.fromkeys(("episode", "severity", "summary", "host", "url"), "")
        ranks = {"rank": 1, "worst": 1}
        storm = Alert(source=source, key=STORM, fold=STORM, rule=STORM, **texts, **ranks)
        storm.labels, storm.episodes, storm.unsettled, storm.first_seen = {}, 0, False, now
        session.add(storm)
    storm.state, storm.sr_id, storm.count = AlertState.FIRING, sr_id, count
    storm.started_at, storm.last_seen, storm.resolved_at = now, now, None
    storm.episodes += 1


def _grow(
    session: Session, source: str, storm: Alert, alerts: Sequence[ChangedAlert], now: datetime
) -> None:
    """Add alerts to a storm; comment when their number has doubled."""
    assert storm.sr_id is not None
    before, storm.count = storm.count, storm.count + len(alerts)
    storm.last_seen = now
    mark_settled(session, alerts, sr_id=storm.sr_id)
    if storm.count.bit_length() > before.bit_length():
        text = wording.comment("storm", source, alerts, count=storm.count)
        add_comment(session, storm.sr_id, source, text, now)
        _log(session, source, storm.sr_id, storm.count, now)


def _log(session: Session, source: str, sr_id: int, count: int, now: datetime) -> None:
    log.append(
        session,
        EntryKind.ALERT_STORM,
        actor=str(Actor.channel(source)),
        now=now,
        sr_id=sr_id,
        detail={"source": source, "alerts": count},
        sr=sr_id,
        source=wording.source_name(source),
        count=count,
    )
