"""Wake agents, within the wake budget of the issue and the quiet hours of the agent."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session

from guardia.board.core import wake_budget
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import ActorKind
from guardia.board.core.lookup import get_issue
from guardia.board.core.model import Issue
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.outbox import reply_to_room, send
from guardia.board.core.run_model import Wake
from guardia.board.core.wake_reasons import DEFERRABLE, URGENT_PRIORITY, WakeReason
from guardia.db import jobs
from guardia.i18n import t
from guardia.org.heartbeats import Heartbeat
from guardia.org.model import Agent

_WAKES: Any = Wake.__table__
_STORED = (
    insert(_WAKES)
    .values({name: bindparam(name) for name in _WAKES.c.keys() if name != "wake_id"})  # noqa: SIM118
    .returning(_WAKES.c.wake_id)
    .cte("stored")
)
# Stores the reason and returns the agent's heartbeat, by which it may be deferred.
_WAKE = (
    select(Agent.spec["heartbeat"].astext)
    .where(Agent.agent_id == bindparam("agent_id"))
    .add_cte(_STORED)
)


@lru_cache(maxsize=256)
def _parse_heartbeat(spec: str) -> Heartbeat:
    return Heartbeat.model_validate_json(spec)


def wake(
    session: Session,
    agent_id: str,
    reason: WakeReason | str,
    now: datetime,
    sr_id: int | None = None,
    *,
    cause: dict[str, Any] | None = None,
    by: Actor | None = None,
) -> bool:
    """Wake an agent when this transaction commits; return whether it will be woken.

    `cause` names what changed, `by` the actor behind it. An agent's own writes never wake it, and
    a stalled issue wakes no agent until a person acts on it. Deferrable reasons wait until the
    agent's quiet hours end.
    """
    reason = WakeReason(reason)
    if by == Actor.agent(agent_id):
        return False
    if sr_id is not None and not spend_wake(session, agent_id, reason, now, sr_id, by):
        return False
    row = {"agent_id": agent_id, "reason": reason.value, "sr_id": sr_id, "cause": cause or {}}
    heartbeat = session.scalar(_WAKE, {**row, "created_at": now})
    if not _is_deferred(session, heartbeat, reason, now, sr_id, by):
        jobs.defer(session, "beat", lock=str(Actor.agent(agent_id)), agent_id=agent_id)
    return True


def spend_wake(
    session: Session,
    agent_id: str,
    reason: WakeReason,
    now: datetime,
    sr_id: int,
    by: Actor | None = None,
) -> bool:
    """Return whether an issue may wake an agent once more; mark it as stalled if not.

    Acts of people always wake.
    """
    if reason is WakeReason.ORDER:
        # Rollbacks outrank everything, and the kill switch must not wait for the row of a budget.
        return True
    if by is not None and by.is_human:
        return True
    if wake_budget.spend(session, sr_id, reason, now):
        return True
    stall_issue(session, agent_id, reason, now, sr_id)
    return False


def stall_issue(
    session: Session, agent_id: str, reason: WakeReason, now: datetime, sr_id: int
) -> None:
    """Mark an issue as stalled and notify people, once."""
    if wake_budget.mark_stalled(session, sr_id, reason, now):
        issue = get_issue(session, sr_id)
        text = t("board.stalled", sr=sr_id, reason=t(f"wake.reason.{reason}"))
        reply_to_room(session, issue, text, now)
        send(session, "alert", text, now, sr_id=sr_id, notice=NoticeKind.STALLED)
        wake_budget.log_stall(session, sr_id, reason, agent_id, now)


def _is_deferred(
    session: Session,
    heartbeat: str | None,
    reason: WakeReason,
    now: datetime,
    sr_id: int | None,
    by: Actor | None,
) -> bool:
    """Return whether quiet hours defer a wake; the clock wakes the agent when they end."""
    if reason not in DEFERRABLE or (by is not None and by.kind is ActorKind.PERSON):
        return False
    if not heartbeat or _parse_heartbeat(heartbeat).quiet_until(now) is None:
        return False
    if sr_id is None:
        return True
    # An issue without a priority may be urgent.
    priority = session.scalar(select(Issue.priority).where(Issue.sr_id == sr_id))
    return priority not in (None, URGENT_PRIORITY)
