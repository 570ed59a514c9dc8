"""Per-issue wake budget: stops wake loops between agents and alerts people.

A loop marks its issue as stalled once, without a new ticket; no task of a stalled issue is
claimed until a person acts on it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, update
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.model import Issue
from guardia.board.core.wake_reasons import WakeReason
from guardia.db.statement import Statement
from guardia.i18n import t_default

MAX_WAKES = 20
"""Wakes that an issue may cause for one reason within `WINDOW` without an act of a person."""
MAX_RECOVERIES = 5
"""Lower limit for recoveries: a task whose beats hang or crash may take down its worker each time.
Crashes are weighted, see `runs.worker_crashes`."""
WINDOW = timedelta(hours=24)
SPENDING = """
    insert into tb_wake_budget as budget (sr_id, reason, spent, since)
    select sr_id, :reason, 1, :now from (
        select sr_id from tb_sr_request where sr_id = :sr_id and stalled_at is null
        for no key update
    ) as issue
    on conflict (sr_id, reason) do update set
        spent = case when budget.since < :past then 1 else budget.spent + 1 end,
        since = case when budget.since < :past then excluded.since else budget.since end
    returning spent
"""
"""SQL that spends one wake of an issue's budget; no row if the issue is stalled.

It locks the issue's row first, so budgets and the head of the audit log are locked after it.
"""

_RENEW = Statement.of(
    """
    with lifted as (
        update tb_sr_request set stalled_at = null, stalled_on = null
        where sr_id = :sr_id and stalled_at is not null returning sr_id
    ), budgets as (
        delete from tb_wake_budget where sr_id = :sr_id
    ), crashes as (
        delete from tb_task_loss as loss using tb_ops_task as task
        where task.sr_id = :sr_id and loss.task_id = task.task_id
    )
    select sr_id from lifted
""",
    sr_id=BigInteger(),
)


def limit_for(reason: WakeReason) -> int:
    """Return how many wakes an issue may cause for this reason."""
    return MAX_RECOVERIES if reason is WakeReason.RECOVERY else MAX_WAKES


def spending(sr_id: int, reason: WakeReason, now: datetime) -> dict[str, Any]:
    """Return the values of `SPENDING`, and the limit."""
    values = {"sr_id": sr_id, "reason": reason.value, "now": now, "past": now - WINDOW}
    return {**values, "limit": limit_for(reason)}


def mark_stalled(session: Session, sr_id: int, reason: WakeReason, now: datetime) -> bool:
    """Mark the issue as stalled; return `False` if it already is."""
    marked = session.scalar(
        update(Issue)
        .where(Issue.sr_id == sr_id, Issue.stalled_at.is_(None))
        .values(stalled_at=now, stalled_on=reason.value)
        .returning(Issue.sr_id)
    )
    return marked is not None


def renew(session: Session, sr_id: int, actor: Actor, now: datetime) -> bool:
    """Reset the budgets after an act of a person; return whether the issue was stalled."""
    if _RENEW.first(session, {"sr_id": sr_id}) is None:
        return False
    log.append(session, EntryKind.STALL_LIFTED, actor=str(actor), now=now, sr_id=sr_id, detail={})
    return True


def log_stall(
    session: Session, sr_id: int, reason: WakeReason, agent_id: str, now: datetime
) -> None:
    """Append the audit entry of a stalled issue."""
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
