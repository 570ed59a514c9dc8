"""Start a run, run the failed servers again, and stop a run. The board itself opens no SSH."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.cmdb.server_list import ServerFilter
from guardia.board.control import directives
from guardia.board.control.directive_context import DirectiveRequest
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.kill_switch import kill_switch_is_on
from guardia.board.core.lifecycle import ActorKind, Move, State
from guardia.board.core.lookup import lock_task
from guardia.board.core.plan import ToolCall
from guardia.board.core.planner import ActionDraft
from guardia.board.core.reasons import require_reason
from guardia.board.core.transitions import move_task
from guardia.board.issues import visibility
from guardia.board.remote_console import plans, records, targets
from guardia.board.remote_console.model import RemoteRun, RemoteTarget
from guardia.board.remote_console.plans import PlannedTarget
from guardia.board.remote_console.policy import (
    AGAIN,
    STOPPABLE,
    RunKind,
    RunState,
    TargetState,
    end_of,
)
from guardia.board.remote_console.targets import RunLimits
from guardia.db import jobs
from guardia.db.engine import repeat_on_conflict
from guardia.errors import IllegalMove, Invalid, NotFound, Refused, UserError
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import Host, PersonInfo
from guardia.text import MAX_REASON, trim

JOB = "remote_run"
_MAX_ARGUMENT = 2000


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a person asks to run, and on which servers."""

    tool: str
    args: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    wanted: ServerFilter = field(default_factory=ServerFilter)
    servers: Sequence[str] = ()
    """Names of servers; without any, the filter chooses."""
    sr_id: int | None = None
    expected: int | None = None
    """How many servers the person saw."""
    again_of: int | None = None


def start(board: BoardContext, person: PersonInfo, request: RunRequest, limits: RunLimits) -> int:
    """Start a read on its servers, or draft a change; return the number of the run.

    A draft changes nothing before its second confirmation and its approvals. Raises `Invalid` for
    a wrong value or number of servers, `Forbidden` without the right to force a change.
    """
    records.require_runner(person)
    kind = _kind_of(board, request.tool)
    if kind is RunKind.CHANGE:
        require_permission(person, "directive.force")
    most = limits.reads if kind is RunKind.READ else limits.changes
    reason = trim(request.reason, MAX_REASON)
    if kind is RunKind.CHANGE:
        reason = require_reason(request.reason)
    hosts = _hosts(board, person, request, most)
    _require_issue(board, person, request.sr_id)
    draft = ActionDraft(request.tool, {k: v[:_MAX_ARGUMENT] for k, v in request.args.items()})
    if kind is RunKind.READ:
        call = _argument_error_at_field(lambda: board.planner.build_read(draft))
        chosen = [PlannedTarget(host) for host in hosts]
        return _store(board, person, request, reason, kind, call.args, chosen)
    chosen = plans.plan_all(board, person, hosts, draft, reason, request.sr_id)
    return _store(board, person, request, reason, kind, dict(draft.args), chosen)


def again(board: BoardContext, person: PersonInfo, number: int, limits: RunLimits) -> int:
    """Start the same action on the servers of an ended run that did not succeed."""
    records.require_runner(person, number)
    states = [state.value for state in AGAIN]
    with board.database.reading() as session:
        row = session.get(RemoteRun, number)
        if row is None:
            raise NotFound(what=t("remote.number", number=number))
        query = select(RemoteTarget.server_id).where(
            RemoteTarget.run_id == number, RemoteTarget.state.in_(states)
        )
        names = list(session.scalars(query.order_by(RemoteTarget.ordinal)))
        if row.ended_at is None or not names:
            raise Refused(why=t("remote.nothing_again"))
        call = ToolCall(tool=row.tool, args=row.args)
        request = RunRequest(
            tool=row.tool,
            args=ActionDraft.of(call).args,
            reason=row.reason,
            servers=names,
            sr_id=row.sr_id,
            again_of=number,
        )
        kind = RunKind(row.kind)
    if kind is RunKind.CHANGE:
        return start(board, person, request, limits)
    # The values are those of a valid call already: lists among them have no form as text.
    chosen = [PlannedTarget(host) for host in _hosts(board, person, request, limits.reads)]
    return _store(board, person, request, request.reason, kind, call.args, chosen)


def _kind_of(board: BoardContext, tool: str) -> RunKind:
    if tool in board.planner.reads():
        return RunKind.READ
    if tool in {option.tool for option in board.planner.options()}:
        return RunKind.CHANGE
    raise Invalid(what=t("remote.action"), why=t("remote.choose_action"), field="tool")


def _hosts(board: BoardContext, person: PersonInfo, request: RunRequest, most: int) -> list[Host]:
    if request.servers:
        return targets.by_name(board, person, request.servers, most)
    return targets.by_filter(board, person, request.wanted, most, request.expected)


def _require_issue(board: BoardContext, person: PersonInfo, sr_id: int | None) -> None:
    if sr_id is None:
        return
    try:
        visibility.require_issue(board, person, sr_id)
    except NotFound as error:
        error.detail["field"] = "sr"
        raise


def _argument_error_at_field(build: Any) -> ToolCall:
    try:
        found: ToolCall = build()
    except UserError as error:
        error.detail.setdefault("field", f"arg-{error.detail.get('argument', '')}")
        raise
    return found


@repeat_on_conflict
def _store(
    board: BoardContext,
    person: PersonInfo,
    request: RunRequest,
    reason: str,
    kind: RunKind,
    args: dict[str, Any],
    chosen: Sequence[PlannedTarget],
) -> int:
    now, by = board.clock(), Actor.of(person)
    with board.database.transaction() as session:
        if kill_switch_is_on(session):
            raise Refused(why=t("board.switch_on"))
        row = RemoteRun(
            kind=kind.value,
            state=(RunState.RUNNING if kind is RunKind.READ else RunState.DRAFT).value,
            tool=request.tool,
            args=args,
            reason=reason,
            chosen_by={} if request.servers else _filter(request.wanted),
            total=len(chosen),
            sr_id=request.sr_id,
            again_of=request.again_of,
            created_by=str(by),
            created_at=now,
        )
        session.add(row)
        session.flush()
        session.add_all(_target(row.run_id, n, one, now) for n, one in enumerate(chosen, 1))
        if kind is RunKind.READ:
            jobs.defer(session, JOB, lock=job_lock(row.run_id), number=row.run_id)
        detail = {
            "action": request.tool,
            "args": args,
            "reason": reason,
            "kind": kind.value,
            "filter": row.chosen_by,
            "servers": [one.host.server_id for one in chosen],
            **({"again_of": request.again_of} if request.again_of else {}),
        }
        words = {"count": row.total, "reason": reason or "-"}
        records.record(session, row, EntryKind.REMOTE_ASKED, by, now, detail, **words)
        return row.run_id


def job_lock(number: int) -> str:
    """Return the lock under which the jobs of a run run one at a time."""
    return f"remote:{number}"


def _filter(wanted: ServerFilter) -> dict[str, Any]:
    return {name: value for name, value in asdict(wanted).items() if value}


def _target(number: int, ordinal: int, one: PlannedTarget, now: datetime) -> RemoteTarget:
    refused = bool(one.why)
    return RemoteTarget(
        run_id=number,
        ordinal=ordinal,
        server_id=one.host.server_id,
        state=(TargetState.REFUSED if refused else TargetState.WAITING).value,
        ended_at=now if refused else None,
        why=one.why,
        plan=one.plan.model_dump(mode="json") if one.plan else None,
        rules=one.rules,
    )


def stop(board: BoardContext, person: PersonInfo, number: int, reason: str = "") -> None:
    """Stop a run: nothing more begins, running reads end on their servers, changes are aborted.

    An aborted change is rolled back by its agent, as after any other abort.
    """
    records.require_runner(person, number)
    why = trim(reason, MAX_REASON)
    for task_id in _stop(board, person, number, why):
        try:
            directives.issue_directive(board, person, task_id, DirectiveRequest("abort", why))
        except IllegalMove:
            continue  # it has just ended


@repeat_on_conflict
def _stop(board: BoardContext, person: PersonInfo, number: int, why: str) -> list[int]:
    """Mark a run as stopped; return the tasks of changes that run now."""
    now, by = board.clock(), Actor.of(person)
    with board.database.transaction() as session:
        root = session.scalar(select(RemoteRun.root_task_id).where(RemoteRun.run_id == number))
        task = lock_task(session, root) if root else None  # tasks are locked before runs
        row = records.lock(session, number)
        before = RunState(row.state)
        if before not in STOPPABLE:
            raise IllegalMove(state=t(f"remote.state.{before}"), move=t("remote.stop"))
        if task is not None and task.status == State.PENDING_APPROVAL:
            move_task(session, task, Move.ABORT, actor=ActorKind.PERSON, now=now)
        text = t("remote.stopped_by", who=by.label)
        args = (session, number, TargetState.WAITING, TargetState.STOPPED, text, now)
        records.end_targets(*args)
        counts = records.counts_of(session, number)
        row.why = why
        if before in {RunState.DRAFT, RunState.PENDING}:
            row.state, row.ended_at = RunState.CANCELLED.value, now
        else:
            row.state = RunState.STOPPING.value
            if row.kind == RunKind.READ and end_of(RunState.STOPPING, counts):
                row.state, row.ended_at = RunState.STOPPED.value, now
        running = _running_tasks(session, number)
        records.record(
            session,
            row,
            EntryKind.REMOTE_STOPPED,
            by,
            now,
            {"reason": why, "before": before.value, "state": row.state},
            reason=why or "-",
        )
        return running


def _running_tasks(session: Session, number: int) -> list[int]:
    query = select(RemoteTarget.task_id).where(
        RemoteTarget.run_id == number,
        RemoteTarget.state == TargetState.RUNNING.value,
        RemoteTarget.task_id.is_not(None),
    )
    return [task for task in session.scalars(query) if task is not None]
