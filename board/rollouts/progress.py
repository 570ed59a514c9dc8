"""Carry rollouts on: begin batches, pause, roll back, end. Every step follows from the tables.

Nothing is kept in memory, so any worker may take the next step at any time: a step is one
transaction under the rollout's lock. The servers are changed by their agents, each under its own
plan, grant and fence.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from guardia.board.control import rollback
from guardia.board.core import server_queue
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.kill_switch import kill_switch_is_on
from guardia.board.core.lifecycle import ActorKind, Move, State
from guardia.board.core.lookup import get_issue, lock_task
from guardia.board.core.model import ActionRun, Directive, Task
from guardia.board.core.plan import Plan
from guardia.board.core.transitions import move_task, update_issue_state
from guardia.board.execution import bundles
from guardia.board.issues.receiving import open_task
from guardia.board.rollouts import policy
from guardia.board.rollouts.drafts import passage, servers_of
from guardia.board.rollouts.model import Rollout, RolloutServer
from guardia.board.rollouts.moves import lock, move
from guardia.board.rollouts.policy import Options, RolloutState, ServerProgress, ServerState, Step
from guardia.db.engine import repeat_on_conflict
from guardia.errors import GuardiaError, IllegalMove, Refused
from guardia.i18n import t, t_default
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Agent, Server

_CLOCK = Actor.system("clock")
_PROCESS = secrets.token_hex(8)
"""Names this process as the one that carries a rollout on."""
LEASE = timedelta(seconds=15)
"""How long the process that carries a rollout on may be silent until another takes over."""
ACTIVE = (RolloutState.PENDING, RolloutState.RUNNING, RolloutState.ROLLING_BACK)
"""States in which the next step follows by itself."""
log = logging.getLogger(__name__)


def advance_all(board: BoardContext, process: str = _PROCESS) -> int:
    """Take the next step of every active rollout; return how many were looked at."""
    with board.database.reading() as session:
        query = select(Rollout.rollout_id).where(Rollout.state.in_(ACTIVE))
        numbers = list(session.scalars(query.order_by(Rollout.rollout_id)))
    for number in numbers:
        try:
            advance(board, number, process)
        except GuardiaError as error:
            log.warning("rollout %s: %s", number, error)
    return len(numbers)


@repeat_on_conflict
def advance(board: BoardContext, number: int, process: str = _PROCESS) -> RolloutState:
    """Take one step of a rollout, if there is one to take; return its state."""
    now = board.clock()
    with board.database.transaction() as session:
        stopped = kill_switch_is_on(session)
        row = lock(session, number)
        state = RolloutState(row.state)
        if state is RolloutState.PENDING:
            _begin_if_approved(session, row, now, stopped=stopped)
        elif state in ACTIVE:
            _take_step(session, row, now, process, stopped=stopped)
        return RolloutState(row.state)


def _begin_if_approved(session: Session, row: Rollout, now: datetime, *, stopped: bool) -> None:
    """Start a rollout whose root plan is approved and may run now; cancel one that never will."""
    root = _root(session, row)
    if root.status == State.PENDING_APPROVAL or stopped:
        return
    if root.status != State.APPROVED:
        move(session, row, RolloutState.CANCELLED, _CLOCK, now, t("rollouts.why.not_approved"))
    elif root.run_after is None or root.run_after <= now:
        move(session, row, RolloutState.RUNNING, _CLOCK, now, "")


def _take_step(
    session: Session, row: Rollout, now: datetime, process: str, *, stopped: bool
) -> None:
    taken_over = row.advanced_by not in {None, process}
    if taken_over and row.advanced_at is not None and now - row.advanced_at < LEASE:
        return  # another process carries it on
    servers = servers_of(session, row.rollout_id)
    options = Options.model_validate(row.options)
    seen = progress(session, servers)
    step = policy.next_step(
        RolloutState(row.state),
        seen,
        options,
        stopped=stopped,
        interrupted=taken_over,
        looked=bool(row.reason),
    )
    row.advanced_at, row.advanced_by = now, process
    if step.begin and not _is_as_approved(session, row):
        step = Step(to=RolloutState.PAUSED, reason="changed")
    if step.begin:
        _begin(session, row, [s for s in servers if s.server_id in step.begin], now)
    elif step.undo:
        _undo(session, row, [s for s in servers if s.server_id in step.undo], now)
    elif step.to is not None:
        _end_root(session, row, step.to, now)
        reason = _reason(step, seen)
        move(session, row, step.to, _CLOCK, now, reason)


def _reason(step: Step, seen: Sequence[ServerProgress]) -> str:
    if not step.reason:
        return ""
    names = [s.server for s in seen if s.state in {ServerState.RESTORED, ServerState.BROKEN}]
    return t_default(f"rollouts.why.{step.reason}", servers=", ".join(names) or "-")


def progress(session: Session, servers: Sequence[RolloutServer]) -> list[ServerProgress]:
    """Return the state of each server from its task."""
    numbers = [s.task_id for s in servers if s.task_id is not None]
    changed = exists().where(ActionRun.task_id == Task.task_id, ActionRun.phase == "do")
    undoing = exists().where(Directive.task_id == Task.task_id, Directive.state == "UNDOING")
    query = select(Task.task_id, Task.status, changed, undoing).where(Task.task_id.in_(numbers))
    found = {task: (status, done, back) for task, status, done, back in session.execute(query)}
    states = []
    for one in servers:
        status, done, back = found.get(one.task_id or 0, (None, False, False))
        state = policy.server_state(status, undoing=back, changed=done)
        states.append(ServerProgress(one.server_id, one.batch, state))
    return states


def _is_as_approved(session: Session, row: Rollout) -> bool:
    """Return whether the rows still say what was approved."""
    root = _root(session, row)
    if root.status != State.APPROVED or root.plan is None:
        return False
    return Plan.model_validate(root.plan).citation.passage == passage(session, row)


def _begin(session: Session, row: Rollout, batch: Sequence[RolloutServer], now: datetime) -> None:
    """File the plans of a batch; their agents carry them out."""
    root = _root(session, row)
    issue = get_issue(session, root.sr_id)
    author = Actor.parse(row.created_by) or _CLOCK
    for one in batch:
        task = open_task(
            session,
            issue.sr_id,
            now,
            state=State.PARSED,
            server=one.server_id,
            agent_id=_agent_for(session, one),
            action_type="deploy",
        )
        one.task_id = task.task_id
    session.flush()
    update_issue_state(session, issue.sr_id, now)
    for one in batch:
        task = lock_task(session, one.task_id or 0)
        bundles.store_bundled(session, root, task, Plan.model_validate(one.plan), author, now)


def _agent_for(session: Session, one: RolloutServer) -> str:
    """Return the agent that works on a server: one with its skill, or any that operates."""
    query = select(Agent).where(Agent.duty == "operate", Agent.state == "active")
    agents = session.scalars(query.order_by(Agent.agent_id)).all()
    if not agents:
        raise Refused(why=t("board.no_hands"))
    server = session.get(Server, one.server_id)
    kind = server.kind if server is not None else one.tier
    return min(agents, key=lambda agent: kind not in agent.skills).agent_id


def _undo(session: Session, row: Rollout, batch: Sequence[RolloutServer], now: datetime) -> None:
    """Have the agents of a batch roll its servers back."""
    author = Actor.parse(row.created_by) or _CLOCK
    reason = t_default("rollouts.undo_reason", number=row.rollout_id)
    tasks = [lock_task(session, number) for number in sorted(one.task_id or 0 for one in batch)]
    for task in tasks:
        server_queue.lock_server(session, task.target_server)
    ordered = [
        rollback.create_directive(session, task, "rollback", author, reason, now, undo=True)
        for task in tasks
    ]
    session.flush()
    for task, directive in zip(tasks, ordered, strict=True):
        rollback.record_directive(session, directive, author, now, task.target_server)


def _end_root(session: Session, row: Rollout, to: RolloutState, now: datetime) -> None:
    """End the root task with the rollout, so that its issue says how it ended."""
    root = _root(session, row)
    if to not in policy.ENDS or root.status != State.APPROVED:
        return
    move_task(session, root, Move.START, actor=ActorKind.AGENT, now=now)
    end = {RolloutState.DONE: Move.COMPLETE, RolloutState.ROLLED_BACK: Move.FAIL}
    move_task(session, root, end.get(to, Move.HAND_OVER), actor=ActorKind.AGENT, now=now)


def _root(session: Session, row: Rollout) -> Task:
    return lock_task(session, row.root_task_id or 0)


# --- What people decide while it runs -------------------------------------------------------------


@repeat_on_conflict
def pause(board: BoardContext, person: PersonInfo, number: int, reason: str) -> None:
    """Let what runs end, and begin no further batch."""
    why = reason or t_default("rollouts.why.person")
    _order(board, person, number, {RolloutState.RUNNING}, RolloutState.PAUSED, why)


@repeat_on_conflict
def resume(board: BoardContext, person: PersonInfo, number: int) -> None:
    """Go on with the next batch of a paused rollout.

    Raises `Refused` while a server is not done: those are rolled out again on their own.
    """
    with board.database.reading() as session:
        seen = progress(session, servers_of(session, number))
    if any(s.state in {ServerState.RESTORED, ServerState.BROKEN} for s in seen):
        raise Refused(why=t("rollouts.not_resumable"))
    why = t_default("rollouts.why.resumed")
    _order(board, person, number, {RolloutState.PAUSED}, RolloutState.RUNNING, why)


@repeat_on_conflict
def roll_back(board: BoardContext, person: PersonInfo, number: int, reason: str) -> None:
    """Roll back exactly the servers that were changed."""
    why = reason or t_default("rollouts.why.person")
    found = {RolloutState.RUNNING, RolloutState.PAUSED}
    _order(board, person, number, found, RolloutState.ROLLING_BACK, why)


@repeat_on_conflict
def _order(
    board: BoardContext,
    person: PersonInfo,
    number: int,
    found: Collection[RolloutState],
    to: RolloutState,
    reason: str,
) -> None:
    """Move a rollout that is in one of the states `found`, for a person."""
    require_permission(person, "rollout.run")
    now = board.clock()
    with board.database.transaction() as session:
        row = lock(session, number)
        if row.state not in found:
            word = t(f"rollouts.state.{row.state}")
            raise IllegalMove(state=word, move=t(f"rollouts.state.{to}"))
        move(session, row, to, Actor.of(person), now, reason)


def unfinished(board: BoardContext, number: int) -> list[tuple[str, str]]:
    """Return (server, service) of the servers that are not done, for another rollout of them."""
    with board.database.reading() as session:
        servers = servers_of(session, number)
        seen = {s.server: s.state for s in progress(session, servers)}
        left = [s for s in servers if seen[s.server_id] is not ServerState.DONE]
        return [(s.server_id, s.service) for s in left]
