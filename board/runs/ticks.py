"""Scheduled ticks: each is recorded once across all hosts, and wakes an agent that has work."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, bindparam, delete, func, or_, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from guardia.board.core.context import BoardContext
from guardia.board.core.run_model import Tick, Wake
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.runs.claiming import AGENT
from guardia.board.runs.due_work import has_work
from guardia.db.engine import repeat_on_conflict
from guardia.db.statement import Statement
from guardia.org.model import Agent


def _record_tick() -> Select[Any]:
    """Return the statement that stores a tick; a row, with whether work is due, if it is new."""
    named: dict[str, Any] = {"agent_id": bindparam("series"), "tick": bindparam("moment")}
    row = insert(Tick).values(named).on_conflict_do_nothing()
    first = row.returning(Tick.agent_id).cte("first")
    kept = select(Wake.wake_id).where(Wake.agent_id == Agent.agent_id)
    due = and_(Agent.state == "active", or_(has_work(), kept.exists()))
    return select(due).join(first, true()).where(Agent.agent_id == AGENT)


_TICK = Statement(_record_tick())


@repeat_on_conflict
def tick(
    board: BoardContext, agent_id: str, moment: datetime, reason: WakeReason = WakeReason.SCHEDULE
) -> bool:
    """Record one scheduled tick, once across all hosts, and wake the agent if work waits.

    A single statement without work: an idle agent is not woken. Returns `False` without work, or
    if another host has recorded the tick.
    """
    now, daily = board.clock(), reason is not WakeReason.SCHEDULE
    series = f"{agent_id}:{reason}" if daily else agent_id
    parameters = {"agent": agent_id, "now": now, "series": series, "moment": moment}
    with board.database.transaction() as session:
        found = _TICK.first(session, parameters)
        if found is None or not (found or daily):
            return False
        wake(session, agent_id, reason, now, cause={"tick": moment.isoformat()})
        return True


def last_ticks(board: BoardContext) -> dict[str, datetime]:
    """Return the latest recorded tick of every series."""
    query = select(Tick.agent_id, func.max(Tick.tick)).group_by(Tick.agent_id)
    with board.database.reading() as session:
        return {row[0]: row[1] for row in session.execute(query)}


@repeat_on_conflict
def delete_old_ticks(board: BoardContext, before: datetime) -> int:
    """Delete old ticks, but never a series' latest, from which missed ticks are caught up."""
    other = aliased(Tick)
    newer = select(other.tick).where(other.agent_id == Tick.agent_id, other.tick > Tick.tick)
    old = delete(Tick).where(Tick.tick < before, newer.exists()).returning(Tick.tick)
    with board.database.transaction() as session:
        return len(session.scalars(old).all())
