"""Close the issue of resolved alerts if no work on it has begun; otherwise say so on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from guardia.board.alerts import storms, wording
from guardia.board.alerts.changed import STORM, ChangedAlert, mark_settled
from guardia.board.alerts.folding import lock_source
from guardia.board.alerts.issue_entries import add_comment, log_alerts
from guardia.board.alerts.model import Alert
from guardia.board.alerts.policy import AlertState, TaskFacts, may_close
from guardia.board.approvals import requests
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor, stored_prefix
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES, ActorKind, Move, State
from guardia.board.core.lookup import lock_tasks
from guardia.board.core.model import ActionRun, Task
from guardia.board.core.transitions import move_task
from guardia.db.engine import repeat_on_conflict


@repeat_on_conflict
def resolve(
    board: BoardContext, source: str, sr_id: int | None, alerts: Sequence[ChangedAlert]
) -> None:
    """Settle resolved alerts of one issue, or of none."""
    now = board.clock()
    with board.database.transaction() as session:
        lock_source(session, source)
        mark_settled(session, alerts)
        if sr_id is None:
            _note_silenced(session, source, alerts, now)
        elif not _still_firing(session, sr_id):
            _settle_issue(session, source, sr_id, alerts, now)


def _still_firing(session: Session, sr_id: int) -> bool:
    query = select(Alert.alert_id).where(
        Alert.sr_id == sr_id, Alert.state == AlertState.FIRING, Alert.key != STORM
    )
    return session.scalar(query.limit(1)) is not None


def _note_silenced(
    session: Session, source: str, alerts: Sequence[ChangedAlert], now: datetime
) -> None:
    """Say on the issues of changes that the alerts which they silenced are resolved."""
    numbers = sorted({one.silenced_sr for one in alerts if one.silenced_sr is not None})
    by_issue = {n: [one for one in alerts if one.silenced_sr == n] for n in numbers}
    for sr_id, own in by_issue.items():
        text = wording.comment("resolved_silenced", source, own)
        add_comment(session, sr_id, source, text, now)
    for sr_id, own in by_issue.items():
        log_alerts(session, EntryKind.ALERT_RESOLVED, source, sr_id, own, now)


def _settle_issue(
    session: Session, source: str, sr_id: int, alerts: Sequence[ChangedAlert], now: datetime
) -> None:
    tasks = lock_tasks(session, Task.sr_id == sr_id)
    storms.end_storm(session, source, sr_id, now)
    facts = [_facts(session, task) for task in tasks]
    flaps = max(one.episodes for one in alerts)
    acted = _person_acted(session, source, sr_id)
    is_open = any(task.state in OPEN_STATES for task in facts)
    if may_close(facts, person_acted=acted, flaps=flaps):
        for task in tasks:
            if task.status in OPEN_STATES:
                _end(session, task, now)
        key, kind = "closed", EntryKind.ALERT_CLOSED
    else:
        key, kind = "resolved" if is_open else "confirmed", EntryKind.ALERT_RESOLVED
    add_comment(session, sr_id, source, wording.comment(key, source, alerts), now)
    log_alerts(session, kind, source, sr_id, alerts, now)


def _facts(session: Session, task: Task) -> TaskFacts:
    runs = select(ActionRun.ordinal).where(ActionRun.task_id == task.task_id).limit(1)
    commands = session.scalar(runs) is not None
    return TaskFacts(State(task.status), task.run_id is not None, commands)


def _person_acted(session: Session, source: str, sr_id: int) -> bool:
    """Return whether a person has done anything about an issue, here or in a messenger."""
    query = select(AuditEntry.seq).where(
        AuditEntry.sr_id == sr_id,
        or_(
            AuditEntry.actor.startswith(stored_prefix(ActorKind.PERSON)),
            AuditEntry.actor.startswith(stored_prefix(ActorKind.OPERATOR)),
            AuditEntry.actor.startswith(stored_prefix(ActorKind.CHANNEL))
            & (AuditEntry.actor != str(Actor.channel(source))),
        ),
    )
    return session.scalar(query.limit(1)) is not None


def _end(session: Session, task: Task, now: datetime) -> None:
    """End a task on which no work has begun; a late write of an agent is refused."""
    requests.void(session, task)
    task.fence += 1
    task.run_id = None
    move_task(session, task, Move.ABORT, actor=ActorKind.SYSTEM, now=now, paused=False)
