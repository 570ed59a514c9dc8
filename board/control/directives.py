"""Directives of people on a task: abort, pause, take over, return, roll back, reassign, change.

Each is one transaction that outranks agents: it revokes the task's claim, appends an audit entry
and wakes the agents concerned. A remote command running for the task is stopped, not awaited.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import BigInteger, select
from sqlalchemy.orm import Session

from guardia.board.control import kill_report, rollback
from guardia.board.control.directive_context import DirectiveContext, DirectiveRequest
from guardia.board.control.directive_handlers import HANDLERS
from guardia.board.core import server_queue, wake_budget
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import ENDED_STATES, OPEN_STATES, State
from guardia.board.core.lookup import get_issue, lock_task, lock_tasks
from guardia.board.core.model import Directive, Task
from guardia.board.core.outbox import reply_to_room, schedule_checkpoint
from guardia.board.standing import ending
from guardia.board.standing import proofs as standing_proofs
from guardia.board.standing.evidence import OVERRIDES
from guardia.db.engine import repeat_on_conflict
from guardia.db.statement import Statement
from guardia.errors import IllegalMove, NotFound, Stale
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.text import MAX_REASON, trim

_BEFORE_WORK = (State.RECEIVED, State.PARSED, State.PENDING_APPROVAL, State.APPROVED)
_ON_SERVER = (State.APPROVED, State.IN_PROGRESS, State.COMPLETED)
_HINDRANCES = Statement.of(
    """
    select
        exists (select from tb_directive where task_id = :task and state = 'UNDOING'),
        exists (select from tb_server_wait where task_id = :task and holder_id is not null)
""",
    task=BigInteger(),
)
_STOPPING = frozenset({"abort", "pause", "manual"})
"""Directives that only stop work do not wait for a checkpoint: the log is signed afterwards."""


def allowed_verbs(
    state: State, *, paused: bool, undoing: bool, planned: bool = False, waiting: bool = False
) -> tuple[str, ...]:
    """Return the directives that a task in this state accepts.

    `planned` if it has a plan, `waiting` if it waits for another change of its server.
    """
    if undoing:
        return ("manual",)
    agent_work = (*_BEFORE_WORK, State.IN_PROGRESS)
    is_open = state in OPEN_STATES
    permitted = {
        "resume" if paused else "pause": state in agent_work,
        "manual": state in (*agent_work, State.FAILED_ROLLBACK),
        "return": state is State.MANUAL,
        "reanalyze": state in (State.PARSED, State.PENDING_APPROVAL, State.APPROVED),
        "complete": state is State.MANUAL,
        "abort": is_open,
        "rollback": state is State.COMPLETED,
        "reopen": state in ENDED_STATES,
        "reassign": state in (*_BEFORE_WORK, State.MANUAL),
        "priority": is_open,
        "change": planned and is_open,
        "override": waiting and state is State.APPROVED,
    }
    return tuple(verb for verb, allowed in permitted.items() if allowed)


def seen_state(state: State, *, undoing: bool) -> str:
    """Return what a form is bound to: a directive may mean something else in another state."""
    return "UNDOING" if undoing else state.value


def issue_directive(
    board: BoardContext, person: PersonInfo, task_id: int, request: DirectiveRequest
) -> State:
    """Carry out a directive; return the task's state after it.

    Raises `Forbidden` without the permission, `Stale` if the person saw the task in another state,
    `IllegalMove` if its state does not permit the directive, `Refused` if another condition
    prevents it.
    """
    handler = HANDLERS.get(request.verb)
    if handler is None:
        raise NotFound(what=request.verb)
    require_permission(person, f"directive.{request.verb}")
    reason, argument = trim(request.reason, MAX_REASON), trim(request.argument)
    request = replace(request, reason=reason, argument=argument)
    if request.verb not in _STOPPING:
        board.sign_checkpoint()
    state = _carry_out(board, person, task_id, request, handler)
    if request.verb == "manual":
        kill_report.send_due_reports(board)  # perhaps the last rollback that it waited for
    return state


@repeat_on_conflict
def _carry_out(
    board: BoardContext,
    person: PersonInfo,
    task_id: int,
    request: DirectiveRequest,
    handler: Callable[[DirectiveContext], Directive],
) -> State:
    now = board.clock()
    with board.database.transaction() as session:
        task = _lock(session, task_id, request.verb)
        if task.status in _ON_SERVER:
            server_queue.lock_server(session, task.target_server)
        undoing, waiting = _hindrances(session, task_id)
        if request.seen not in ("", seen_state(State(task.status), undoing=undoing)):
            raise Stale(what=issue_ref(task.sr_id))
        if request.verb not in _allowed_verbs(task, undoing=undoing, waiting=waiting):
            raise IllegalMove(state=t(f"state.{task.status}"), move=t(f"board.verb.{request.verb}"))
        issue = get_issue(session, task.sr_id)
        ctx = DirectiveContext(session, task, issue, request, Actor.of(person), now)
        wake_budget.renew(session, task.sr_id, ctx.issued_by, now)
        overrides = request.verb in OVERRIDES and task.plan_hash is not None
        # Looked up first: the directive may take the plan away.
        use = overrides and standing_proofs.use_of(session, task.task_id, task.plan_hash)
        directive = handler(ctx)
        session.flush()
        if use:
            ending.revoke_for_task(session, task, "override", ctx.issued_by, now, use)
        _announce(ctx)
        if request.verb in _STOPPING:
            schedule_checkpoint(session)
        rollback.record_directive(session, directive, ctx.issued_by, now, task.target_server)
        if ctx.after_log is not None:
            ctx.after_log()
        return State(task.status)


def _lock(session: Session, task_id: int, verb: str) -> Task:
    """Lock the task; for a priority, all tasks of the issue, which take it over."""
    if verb == "priority":
        issue = select(Task.sr_id).where(Task.task_id == task_id).scalar_subquery()
        lock_tasks(session, Task.sr_id == issue)
    return lock_task(session, task_id)


def eligible_tasks(board: BoardContext, sr_id: int, verb: str) -> list[int]:
    """Return the tasks of an issue that accept a directive now."""
    with board.database.reading() as session:
        get_issue(session, sr_id)
        rows = session.scalars(select(Task).where(Task.sr_id == sr_id).order_by(Task.task_id))
        return [task.task_id for task in rows.all() if verb in _allowed_now(session, task)]


def _allowed_now(session: Session, task: Task) -> tuple[str, ...]:
    undoing, waiting = _hindrances(session, task.task_id)
    return _allowed_verbs(task, undoing=undoing, waiting=waiting)


def _allowed_verbs(task: Task, *, undoing: bool, waiting: bool) -> tuple[str, ...]:
    return allowed_verbs(
        State(task.status),
        paused=task.paused,
        undoing=undoing,
        planned=task.plan is not None,
        waiting=waiting,
    )


def _hindrances(session: Session, task_id: int) -> tuple[bool, bool]:
    """Return whether a task is being rolled back, and whether it waits for its server."""
    found = _HINDRANCES.run(session, {"task": task_id}).fetchone()
    assert found is not None
    return found[0], found[1]


def _announce(ctx: DirectiveContext) -> None:
    verb = t(f"board.verb.{ctx.request.verb}")
    words = {"sr": ctx.issue.sr_id, "who": ctx.issued_by.label, "verb": verb}
    text = t("board.ordered", **words, reason=ctx.request.reason or "-")
    reply_to_room(ctx.session, ctx.issue, text, ctx.now, public=ctx.public)
