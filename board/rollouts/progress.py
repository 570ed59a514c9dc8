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

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session

from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.kill_switch import kill_switch_is_on
from guardia.board.core.lifecycle import ActorKind, Move, State
from guardia.board.core.lookup import lock_task
from guardia.board.core.model import Task
from guardia.board.core.plan import Plan
from guardia.board.core.transitions import move_task
from guardia.board.rollouts import policy, server_steps
from guardia.board.rollouts.drafts import passage
from guardia.board.rollouts.model import Rollout, RolloutFront
from guardia.board.rollouts.moves import lock, move
from guardia.board.rollouts.policy import Options, RolloutState, ServerProgress, ServerState, Step
from guardia.board.rollouts.server_steps import CLOCK, ServerSteps, servers_of
from guardia.db.engine import repeat_on_conflict
from guardia.errors import GuardiaError, IllegalMove, Refused
from guardia.i18n import t, t_default
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

_PROCESS = secrets.token_hex(8)
"""Names this process as the one that carries a rollout on."""
LEASE = timedelta(seconds=15)
"""How long the process that carries a rollout on may be silent until another takes over."""
ACTIVE = (RolloutState.PENDING, RolloutState.RUNNING, RolloutState.ROLLING_BACK)
"""States in which the next step follows by itself."""
_PAUSED_BETWEEN = and_(
    Rollout.state == RolloutState.PAUSED,
    exists().where(
        RolloutFront.rollout_id == Rollout.rollout_id, RolloutFront.task_id.is_not(None)
    ),
)
"""Paused while a server may be out of its load balancers."""
log = logging.getLogger(__name__)


def advance_all(board: BoardContext, process: str = _PROCESS) -> int:
    """Take the next step of every active rollout; return how many were looked at."""
    with board.database.reading() as session:
        query = select(Rollout.rollout_id).where(or_(Rollout.state.in_(ACTIVE), _PAUSED_BETWEEN))
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
        elif state in {*ACTIVE, RolloutState.PAUSED}:
            _take_step(session, row, now, process, stopped=stopped)
        return RolloutState(row.state)


def _begin_if_approved(session: Session, row: Rollout, now: datetime, *, stopped: bool) -> None:
    """Start a rollout whose root plan is approved and may run now; cancel one that never will."""
    root = _root(session, row)
    if root.status == State.PENDING_APPROVAL or stopped:
        return
    if root.status != State.APPROVED:
        move(session, row, RolloutState.CANCELLED, CLOCK, now, t("rollouts.why.not_approved"))
    elif root.run_after is None or root.run_after <= now:
        move(session, row, RolloutState.RUNNING, CLOCK, now, "")


def _take_step(
    session: Session, row: Rollout, now: datetime, process: str, *, stopped: bool
) -> None:
    taken_over = row.advanced_by not in {None, process}
    if taken_over and row.advanced_at is not None and now - row.advanced_at < LEASE:
        return  # another process carries it on
    steps = server_steps.steps_of(session, row.rollout_id)
    seen = [one.progress for one in steps]
    step = policy.next_step(
        RolloutState(row.state),
        seen,
        Options.model_validate(row.options),
        stopped=stopped,
        interrupted=taken_over,
        looked=row.canary_paused_at is not None,
    )
    if row.state != RolloutState.PAUSED:
        row.advanced_at, row.advanced_by = now, process
    chosen = [one for one in steps if one.row.server_id in (*step.begin, *step.undo)]
    if step.begin and not _is_as_approved(session, row):
        step = Step(to=RolloutState.PAUSED, reason="changed")
    if step.begin:
        first = server_steps.first_steps(chosen)
        server_steps.begin(session, row, _root(session, row), first, now)
    elif step.undo:
        server_steps.undo(session, row, server_steps.last_steps(chosen), now)
    elif step.to is not None:
        _move(session, row, step, seen, now)
    else:
        _go_between_stages(session, row, steps, now, stopped=stopped)


def _move(
    session: Session, row: Rollout, step: Step, seen: Sequence[ServerProgress], now: datetime
) -> None:
    assert step.to is not None
    if step.reason == "canary":
        row.canary_paused_at = now
    _end_root(session, row, step.to, now)
    # What led to a rollback is still the reason at its end.
    kept = row.reason if step.to is RolloutState.ROLLED_BACK else ""
    move(session, row, step.to, CLOCK, now, _reason(step, seen) or kept)


def _go_between_stages(
    session: Session, row: Rollout, steps: Sequence[ServerSteps], now: datetime, *, stopped: bool
) -> None:
    """Carry on servers that are between two stages, so that none is left without its traffic."""
    back = row.state == RolloutState.ROLLING_BACK
    begun, undone = server_steps.between_stages(steps, back=back, stopped=stopped)
    if undone:
        server_steps.undo(session, row, undone, now)
    if not begun:
        return
    if _is_as_approved(session, row):
        server_steps.begin(session, row, _root(session, row), begun, now)
    elif row.state == RolloutState.RUNNING:
        seen = [one.progress for one in steps]
        _move(session, row, Step(to=RolloutState.PAUSED, reason="changed"), seen, now)


def _reason(step: Step, seen: Sequence[ServerProgress]) -> str:
    if not step.reason:
        return ""
    left = {ServerState.BROKEN}  # after a rollback, the others are as before
    named = left if step.to is RolloutState.FAILED else left | {ServerState.RESTORED}
    names = [s.server for s in seen if s.state in named]
    return t_default(f"rollouts.why.{step.reason}", servers=", ".join(names) or "-")


def progress(session: Session, number: int) -> list[ServerProgress]:
    """Return the state of each server of a rollout, in their order."""
    return [one.progress for one in server_steps.steps_of(session, number)]


def _is_as_approved(session: Session, row: Rollout) -> bool:
    """Return whether the rows still say what was approved."""
    root = _root(session, row)
    if root.status != State.APPROVED or root.plan is None:
        return False
    return Plan.model_validate(root.plan).citation.passage == passage(session, row)


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
        seen = progress(session, number)
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
        seen = {s.server: s.state for s in progress(session, number)}
        left = [s for s in servers if seen[s.server_id] is not ServerState.DONE]
        return [(s.server_id, s.service) for s in left]
