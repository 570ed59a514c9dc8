"""The wake budget of an issue: agents that wake each other in circles are stopped, and people told.

One mark on the issue, whatever the storm: no new ticket, and none of its tasks is claimed until a
person acts on it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.model import Issue, Task
from guardia.board.core.run_model import TaskCrashCount, WakeBudget
from guardia.board.core.wake_reasons import WakeReason
from guardia.i18n import t_default

MAX_WAKES = 20
"""Wakes that one issue may cause for one reason in ``WINDOW``, unless a person acts on it."""
MAX_RECOVERIES = 5
"""Fewer here: a task whose beats hang or die may take its worker with it each time. Deaths are
weighed, see ``losses``."""
WINDOW = timedelta(hours=24)
_SPEND = text("""
    insert into tb_wake_budget as budget (sr_id, reason, spent, since)
    select sr_id, :reason, 1, :now from (
        select sr_id from tb_sr_request where sr_id = :sr_id and stalled_at is null
        for no key update
    ) as issue
    on conflict (sr_id, reason) do update set
        spent = case when budget.since < :past then 1 else budget.spent + 1 end,
        since = case when budget.since < :past then excluded.since else budget.since end
    returning spent
""")


def limit_for(reason: WakeReason) -> int:
    """How many wakes one issue may cause for this reason."""
    return MAX_RECOVERIES if reason is WakeReason.RECOVERY else MAX_WAKES


def spend(session: Session, sr_id: int, reason: WakeReason, now: datetime) -> bool:
    """Take one wake from the issue's budget; ``False`` where it is spent or the issue stalled.

    The issue's row is locked first, so budgets and the record's head are always locked after it.
    """
    values = {"sr_id": sr_id, "reason": reason.value, "now": now, "past": now - WINDOW}
    spent = session.scalar(_SPEND, values)
    return spent is not None and spent <= limit_for(reason)


def mark_stalled(session: Session, sr_id: int, reason: WakeReason, now: datetime) -> bool:
    """Mark the issue as stalled; ``False`` where it is already."""
    marked = session.scalar(
        update(Issue)
        .where(Issue.sr_id == sr_id, Issue.stalled_at.is_(None))
        .values(stalled_at=now, stalled_on=reason.value)
        .returning(Issue.sr_id)
    )
    return marked is not None


def renew(session: Session, sr_id: int, actor: Actor, now: datetime) -> bool:
    """A person acts on the issue: its budgets are whole again; ``True`` where it was stalled."""
    cleared = session.scalar(
        update(Issue)
        .where(Issue.sr_id == sr_id, Issue.stalled_at.is_not(None))
        .values(stalled_at=None, stalled_on=None)
        .returning(Issue.sr_id)
    )
    session.execute(delete(WakeBudget).where(WakeBudget.sr_id == sr_id))
    tasks = select(Task.task_id).where(Task.sr_id == sr_id)
    session.execute(delete(TaskCrashCount).where(TaskCrashCount.task_id.in_(tasks)))
    if cleared is None:
        return False
    log.append(session, EntryKind.STALL_LIFTED, actor=str(actor), now=now, sr_id=sr_id, detail={})
    return True


def log_stall(
    session: Session, sr_id: int, reason: WakeReason, agent_id: str, now: datetime
) -> None:
    """The mark's entry."""
    log.append(
        session,
        EntryKind.STALLED,
        actor=str(Actor.system("board")),
        now=now,
        sr_id=sr_id,
        detail={"reason": reason.value, "agent": agent_id, "budget": limit_for(reason)},
        why=t_default(f"wake.reason.{reason}"),
        count=limit_for(reason),
    )
