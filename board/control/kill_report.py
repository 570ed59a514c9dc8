"""Report on a kill switch activation, sent once when every stopped task has been undone."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lookup import get_issue, lock_issues
from guardia.board.core.model import Comment, Directive, KillSwitchActivation, Task
from guardia.board.core.outbox import send
from guardia.db.engine import OUTAGE_ERRORS, database_time, repeat_on_conflict
from guardia.i18n import t

log_file = logging.getLogger(__name__)

_AUTHOR = Actor.operator("guardia")


@dataclass(frozen=True, slots=True)
class StoppedTask:
    """A task stopped by the kill switch."""

    sr_id: int
    task_id: int
    server: str
    found: str
    """State of the task when it was stopped."""
    state: str
    """Current state of the task."""
    outcome: str
    """`waiting`, `UNDOING`, `RESTORED`, `UNCHANGED` (nothing to undo) or `NOT_RESTORED`."""
    text: str


def stopped_tasks(session: Session, kill_id: int) -> list[StoppedTask]:
    """Return the tasks that an activation has stopped, in order."""
    rows = session.execute(
        select(Directive, Task)
        .join(Task, Task.task_id == Directive.task_id)
        .where(Directive.kill_id == kill_id)
        .order_by(Directive.task_id, Directive.directive_id)
    )
    return [
        StoppedTask(
            d.sr_id,
            d.task_id,
            task.target_server or "-",
            d.found,
            task.status,
            _outcome(d),
            d.outcome,
        )
        for d, task in rows
    ]


def _outcome(directive: Directive) -> str:
    if directive.state == "RESTORED" and directive.detail.get("restored") == 0:
        return "UNCHANGED"
    return "waiting" if directive.state == "DONE" else directive.state


@repeat_on_conflict
def alert_listener_failed(board: BoardContext, host: str, error: str) -> None:
    """Alert that a worker cannot learn which of its running commands people have stopped."""
    with board.database.transaction() as session:
        text = t("board.deaf", host=host, error=error)
        send(session, "alert", text, board.clock(), sr_id=None)


def send_due_reports(board: BoardContext) -> None:
    """Send the report of each activation of which no stopped task is still being undone.

    In a transaction of its own: it locks other issues than the one whose rollback has just ended,
    and the end of a rollback, or the stop itself, must not fail because of it. A worker calls it
    every minute, too.
    """
    query = select(KillSwitchActivation.kill_id).where(KillSwitchActivation.reported_at.is_(None))
    try:
        with board.database.reading() as session:
            unreported = session.scalars(query.order_by(KillSwitchActivation.kill_id)).all()
        for kill_id in unreported:
            _send_if_complete(board, kill_id)
    except OUTAGE_ERRORS as error:
        log_file.warning("the kill switch's report waits: %s", type(error).__name__)


@repeat_on_conflict
def _send_if_complete(board: BoardContext, kill_id: int) -> None:
    with board.database.transaction() as session:
        kill = session.scalar(
            select(KillSwitchActivation)
            .where(KillSwitchActivation.kill_id == kill_id)
            .with_for_update()
        )
        found = stopped_tasks(session, kill_id)
        if kill is None or kill.reported_at or any(s.outcome == "UNDOING" for s in found):
            return
        lock_issues(session, {s.sr_id for s in found})
        kill.reported_at = now = database_time(session)
        _send_report(session, kill, found, now)


def _send_report(
    session: Session, kill: KillSwitchActivation, found: list[StoppedTask], now: datetime
) -> None:
    text = _report_text(found)
    rooms = {kill.room} if kill.room else set()
    for sr_id in sorted({s.sr_id for s in found}):
        issue = get_issue(session, sr_id)
        issue.updated_at = now
        rooms |= {issue.room} if issue.room else set()
        session.add(Comment(sr_id=sr_id, author=str(_AUTHOR), body=text, created_at=now))
    for room in sorted(rooms):
        send(session, "message", text, now, room=room, sr_id=None)
    send(session, "alert", text, now, sr_id=None)
    session.flush()
    log.append(
        session,
        EntryKind.KILL_REPORT,
        actor=str(_AUTHOR),
        now=now,
        detail={
            "kill": kill.kill_id,
            "tasks": [
                {
                    "sr": s.sr_id,
                    "task": s.task_id,
                    "server": s.server,
                    "found": s.found,
                    "state": s.state,
                    "outcome": s.outcome,
                }
                for s in found
            ],
        },
        tasks=len(found),
        restored=sum(s.outcome == "RESTORED" for s in found),
        lost=sum(s.outcome == "NOT_RESTORED" for s in found),
    )


def _report_text(found: list[StoppedTask]) -> str:
    if not found:
        return t("board.kill_nothing")
    lines = [
        t(
            "board.kill_line",
            sr=s.sr_id,
            server=s.server,
            found=t(f"state.{s.found}"),
            state=t(f"state.{s.state}"),
            outcome=t(f"board.kill_outcome.{s.outcome}"),
        )
        for s in found
    ]
    return "\n".join([t("board.kill_report", tasks=len(found)), *lines])
