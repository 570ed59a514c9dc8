"""Operator commands for one agent: pause, resume, run now."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.run_model import Run
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NotFound, Refused
from guardia.i18n import t
from guardia.org.model import Agent


def pause(board: BoardContext, agent_id: str, actor: Actor) -> bool:
    """Start no more beats of an agent; a running one ends after its current task.

    Returns `False` if the agent is already paused.
    """
    return _set_state(board, agent_id, actor, "paused")


def resume(board: BoardContext, agent_id: str, actor: Actor) -> bool:
    """Resume an agent and wake it, since work may be waiting. Returns `False` if it is active."""
    return _set_state(board, agent_id, actor, "active")


@repeat_on_conflict
def _set_state(board: BoardContext, agent_id: str, actor: Actor, state: str) -> bool:
    now = board.clock()
    with board.database.transaction() as session:
        agent = _lock_agent(session, agent_id)
        if agent.state == state:
            return False
        agent.state = state
        session.flush()
        if state == "active":
            wake(session, agent_id, WakeReason.RESUMED, now, by=actor)
        paused = state == "paused"
        kind = EntryKind.AGENT_PAUSED if paused else EntryKind.AGENT_RESUMED
        log.append(
            session, kind, actor=str(actor), now=now, detail={"agent": agent_id}, agent=agent_id
        )
        return True


@repeat_on_conflict
def wake_now(board: BoardContext, agent_id: str, actor: Actor) -> int:
    """Wake an agent now; returns its last run before that. Raises `Refused` if it is paused."""
    now: datetime = board.clock()
    with board.database.transaction() as session:
        agent = _lock_agent(session, agent_id)
        if agent.state == "paused":
            raise Refused(why=t("board.agent_paused", agent=agent_id))
        last = session.scalar(select(func.max(Run.run_id)).where(Run.agent_id == agent_id))
        wake(session, agent_id, WakeReason.MANUAL, now, by=actor)
        return last or 0


def next_run(board: BoardContext, agent_id: str, last: int) -> Run | None:
    """Return the agent's first run after run `last`, or `None`."""
    with board.database.reading() as session:
        query = select(Run).where(Run.agent_id == agent_id, Run.run_id > last)
        return session.scalar(query.order_by(Run.run_id).limit(1))


def _lock_agent(session: Session, agent_id: str) -> Agent:
    """Return an agent of the running chart, locked. Raises `NotFound` if there is none."""
    agent = session.get(Agent, agent_id, with_for_update=True)
    if agent is None or agent.state == "fired":
        raise NotFound(what=agent_id)
    return agent
