"""Open an issue for alerts of one rule on one server, join an open one, or reopen the last one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.alerts import storms, wording
from guardia.board.alerts.changed import STORM, ChangedAlert, mark_settled, worst_of
from guardia.board.alerts.folding import lock_source
from guardia.board.alerts.issue_entries import LOGGED, add_comment, log_alerts
from guardia.board.alerts.model import Alert
from guardia.board.alerts.policy import priority_of
from guardia.board.alerts.rules import AlertRules
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.control import reopening
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.lookup import lock_tasks
from guardia.board.core.model import Issue, Task
from guardia.board.issues import receiving
from guardia.db.engine import repeat_on_conflict
from guardia.i18n import t_default
from guardia.org import registry

_MINUTE = timedelta(minutes=1)
_LINKED_WITHIN = timedelta(days=7)


def open_issues(
    board: BoardContext, source: str, rules: AlertRules, folds: Sequence[Sequence[ChangedAlert]]
) -> None:
    """Open an issue for each fold, up to the bound of a minute; one issue takes the others."""
    if not folds:
        return
    since = board.clock() - _MINUTE
    with board.database.reading() as session:
        raging = storms.is_raging(session, source, since)
        room = 0 if raging else rules.issues_per_minute - _opened_since(session, source, since)
    room = max(0, room)
    for alerts in folds[:room]:
        _open_issue(board, source, rules, alerts)
    if rest := [one for alerts in folds[room:] for one in alerts]:
        storms.join_storm(board, source, rest, rules.issues_per_minute)


def _opened_since(session: Session, source: str, since: datetime) -> int:
    query = select(func.count(func.distinct(Alert.sr_id)))
    return session.scalar(query.where(Alert.source == source, Alert.opened_at > since)) or 0


@repeat_on_conflict
def _open_issue(
    board: BoardContext, source: str, rules: AlertRules, alerts: Sequence[ChangedAlert]
) -> None:
    now, first = board.clock(), alerts[0]
    with board.database.transaction() as session:
        lock_source(session, source)
        previous = _previous_issue(session, source, first.fold, now - _LINKED_WITHIN)
        if previous is not None and _may_reopen(session, previous, now - rules.reopen_within):
            _reopen(session, source, previous, alerts, now)
            return
        number = previous.sr_id if previous else None
        new_issue = _new_issue(session, source, alerts, number)
        sr_id = receiving.receive_within(session, new_issue, now)
        mark_settled(session, alerts, sr_id=sr_id, opened_at=now, episodes=1)


def _new_issue(
    session: Session, source: str, alerts: Sequence[ChangedAlert], previous: int | None
) -> receiving.NewIssue:
    first = alerts[0]
    institution = registry.institution_of(session, first.server_id)
    given: dict[str, Any] = {"kind": "INCIDENT"}
    if first.server_id is not None:
        given |= {"servers": [first.server_id], "institution": institution}
    return receiving.NewIssue(
        text=wording.issue_text(source, alerts, previous),
        title=wording.issue_title(first),
        channel=source,
        sender=wording.source_name(source),
        institution=institution,
        kind="INCIDENT",
        priority=priority_of(worst_of(alerts)),
        triage={"given": given},
        origin={"alerts": [one.facts for one in alerts[:LOGGED]], "previous": previous},
    )


def _previous_issue(session: Session, source: str, fold: str, since: datetime) -> Issue | None:
    """Return the last issue of a fold, unless it took the alerts of a storm."""
    is_storm = select(Alert.sr_id).where(Alert.source == source, Alert.key == STORM)
    query = (
        select(Issue)
        .join(Alert, Alert.sr_id == Issue.sr_id)
        .where(
            Alert.source == source,
            Alert.fold == fold,
            Issue.updated_at > since,
            Issue.sr_id.not_in(is_storm.where(Alert.sr_id.is_not(None))),
        )
        .order_by(Issue.sr_id.desc())
        .limit(1)
    )
    found: Issue | None = session.scalar(query)
    return found


def _may_reopen(session: Session, issue: Issue, since: datetime) -> bool:
    """Return whether an issue was closed since then because its alert was resolved."""
    if issue.status != State.ABORTED or issue.updated_at <= since:
        return False
    query = select(AuditEntry.seq).where(
        AuditEntry.sr_id == issue.sr_id,
        AuditEntry.kind == EntryKind.ALERT_CLOSED,
    )
    return session.scalar(query.limit(1)) is not None


def _reopen(
    session: Session, source: str, issue: Issue, alerts: Sequence[ChangedAlert], now: datetime
) -> None:
    tasks = lock_tasks(session, Task.sr_id == issue.sr_id)
    by = Actor.system(source)
    reason = t_default("alerts.fired_again", alerts=wording.names_of(alerts))
    for task in tasks:
        if task.status == State.ABORTED:
            reopening.reopen_task(session, task, by, reason, now)
    add_comment(session, issue.sr_id, source, wording.comment("reopened", source, alerts), now)
    mark_settled(session, alerts, sr_id=issue.sr_id)
    log_alerts(session, EntryKind.ALERT_REOPENED, source, issue.sr_id, alerts, now)


@repeat_on_conflict
def join_issue(
    board: BoardContext, source: str, sr_id: int, alerts: Sequence[ChangedAlert]
) -> None:
    """Show changed alerts on the open issue of their fold, which may become more urgent."""
    now = board.clock()
    with board.database.transaction() as session:
        lock_source(session, source)
        if storms.joined_open_storm(session, source, sr_id, alerts, now):
            return
        issue = add_comment(session, sr_id, source, wording.comment("joined", source, alerts), now)
        wanted = priority_of(worst_of(alerts))
        before = issue.priority
        if issue.status in OPEN_STATES and before is not None and wanted < before:
            lock_tasks(session, Task.sr_id == sr_id)
            issue.priority = wanted
        mark_settled(session, alerts, sr_id=sr_id)
        log_alerts(session, EntryKind.ALERT_JOINED, source, sr_id, alerts, now)
