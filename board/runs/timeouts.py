"""Expire a beat that exceeds its timeout: revoke its claim and alert people."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lookup import get_issue, lock_tasks
from guardia.board.core.model import Task
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.outbox import reply_to_room, send
from guardia.board.core.run_model import Run
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.runs.beats import RunContext
from guardia.db.engine import repeat_on_conflict
from guardia.i18n import t

OUTCOME = "timeout"


@repeat_on_conflict
def expire_run(board: BoardContext, run_context: RunContext) -> bool:
    """Close the run and revoke its claims. Returns `False` if it has already ended.

    The audit entry notifies every worker, which interrupts what still runs for the task. The task
    is claimed again, as often as the issue's recovery budget allows.
    """
    now = board.clock()
    with board.database.transaction() as session:
        ended = session.scalar(
            update(Run)
            .where(Run.run_id == run_context.run_id, Run.ended_at.is_(None))
            .values(outcome=OUTCOME, ended_at=now)
            .returning(Run.run_id)
        )
        if ended is None:
            return False
        lock_tasks(session, Task.run_id == run_context.run_id)
        taken = session.execute(
            update(Task)
            .where(Task.run_id == run_context.run_id)
            .values(run_id=None, fence=Task.fence + 1)
            .returning(Task.task_id, Task.sr_id)
        ).all()
        tasks = [(int(task_id), int(sr_id)) for task_id, sr_id in taken]
        if tasks:
            session.execute(update(Run).where(Run.run_id == ended).values(task_id=tasks[0][0]))
        for _, sr_id in tasks:
            _notify(session, run_context, sr_id, now)
        _record(session, run_context, tasks, now)
        return True


def _notify(session: Session, run_context: RunContext, sr_id: int, now: datetime) -> None:
    cause = {"run": run_context.run_id}
    wake(session, run_context.agent_id, WakeReason.RECOVERY, now, sr_id, cause=cause)
    issue, limit = get_issue(session, sr_id), run_context.entry.heartbeat.timeout
    text = t("board.timed_out", sr=sr_id, agent=run_context.entry.title, limit=limit)
    reply_to_room(session, issue, text, now)
    send(session, "alert", text, now, sr_id=sr_id, notice=NoticeKind.STALLED)


def _record(
    session: Session, run_context: RunContext, tasks: list[tuple[int, int]], now: datetime
) -> None:
    task_id, sr_id = tasks[0] if tasks else (None, None)
    log.append(
        session,
        EntryKind.TIMED_OUT,
        actor=str(Actor.system("clock")),
        now=now,
        sr_id=sr_id,
        task_id=task_id,
        detail={
            "run": run_context.run_id,
            "agent": run_context.agent_id,
            "tasks": [n for n, _ in tasks],
        },
        agent=run_context.entry.title,
        limit=run_context.entry.heartbeat.timeout,
    )
