"""Wake agents, within the wake budget of the issue and the quiet hours of the agent."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, DateTime, Integer, select
from sqlalchemy.orm import Session

from guardia.board.core import wake_budget
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import ActorKind
from guardia.board.core.lookup import get_issue
from guardia.board.core.model import Issue
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.outbox import reply_to_room, send
from guardia.board.core.wake_reasons import DEFERRABLE, URGENT_PRIORITY, WakeReason
from guardia.db import jobs
from guardia.db.columns import CleanJsonb, CleanText
from guardia.db.statement import Statement
from guardia.i18n import t
from guardia.org.heartbeats import Heartbeat

_TYPES: dict[str, Any] = {
    **dict.fromkeys(("agent_id", "reason"), CleanText()),
    "cause": CleanJsonb(),
    "sr_id": BigInteger(),
    "now": DateTime(timezone=True),
}
_STORED = """
    stored as (
        insert into tb_wake (agent_id, reason, sr_id, cause, created_at)
        select :agent_id, :reason, :sr_id, :cause, :now {permitted} returning agent_id)
"""
_DEFER = jobs.deferring(
    "'beat'", "'agent:' || agent_id", "jsonb_build_object('agent_id', agent_id)"
)
_HEARTBEAT = "select spec ->> 'heartbeat' from tb_agent where agent_id = :agent_id"


def _statement(end: str, *, budgeted: bool) -> Statement:
    """Return the statement that stores a reason if the budget permits it, and what it returns.

    One round trip for the budget, the reason and the job: most moves wake an agent.
    """
    if not budgeted:
        stored = _STORED.format(permitted="")
        return Statement.of(f"with {stored} select 0, ({end})", **_TYPES)
    stored = _STORED.format(permitted="from spent where spent <= :limit")
    query = f"with spent as ({wake_budget.SPENDING}), {stored} select spent, ({end}) from spent"
    return Statement.of(query, **_TYPES, past=DateTime(timezone=True), limit=Integer())


_AT_ONCE = {b: _statement(f"select {_DEFER} from stored", budgeted=b) for b in (True, False)}
_PERHAPS_LATER = {b: _statement(_HEARTBEAT, budgeted=b) for b in (True, False)}
"""Of reasons that quiet hours may defer: they return the agent's heartbeat."""


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
    budgeted = sr_id is not None and not _is_unlimited(reason, by)
    row: dict[str, Any] = {"agent_id": agent_id, "reason": reason.value, "sr_id": sr_id}
    row |= {"cause": cause or {}, "now": now}
    limit = 0
    if sr_id is not None and budgeted:
        spending = wake_budget.spending(sr_id, reason, now)
        row, limit = {**row, **spending}, spending["limit"]
    kinds = _PERHAPS_LATER if _is_deferrable(reason, by) else _AT_ONCE
    found = kinds[budgeted].run(session, row).fetchone()
    if sr_id is not None and (found is None or found[0] > limit):
        stall_issue(session, agent_id, reason, now, sr_id)
        return False
    assert found is not None
    if kinds is _PERHAPS_LATER and not _is_deferred(session, found[1], now, sr_id):
        jobs.defer(session, "beat", lock=str(Actor.agent(agent_id)), agent_id=agent_id)
    return True


def _is_unlimited(reason: WakeReason, by: Actor | None) -> bool:
    """Return whether a wake needs no budget: rollbacks outrank everything, and people may act.

    The kill switch must not wait for the row of a budget.
    """
    return reason is WakeReason.ORDER or (by is not None and by.is_human)


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


def _is_deferrable(reason: WakeReason, by: Actor | None) -> bool:
    return reason in DEFERRABLE and (by is None or by.kind is not ActorKind.PERSON)


def _is_deferred(session: Session, heartbeat: str | None, now: datetime, sr_id: int | None) -> bool:
    """Return whether quiet hours defer a wake; the clock wakes the agent when they end."""
    if not heartbeat or _parse_heartbeat(heartbeat).quiet_until(now) is None:
        return False
    if sr_id is None:
        return True
    # An issue without a priority may be urgent.
    priority = session.scalar(select(Issue.priority).where(Issue.sr_id == sr_id))
    return priority not in (None, URGENT_PRIORITY)
