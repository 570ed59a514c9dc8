"""A forced change on several servers: confirmed twice, approved once, carried out by agents.

The plans are filed under one root plan, whose approvals the `FORCED` policy asks for. Each server
is then changed by its agent under its own plan, grant and fence, as after any forced action; site
rules are checked again before each command. The first server is changed alone, and after a failure
no further one is begun.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from guardia.board.audit import log as audit_log
from guardia.board.audit.kinds import EntryKind
from guardia.board.control import rollback
from guardia.board.control.manual_plans import choose_agent
from guardia.board.core import bundle
from guardia.board.core.actors import Actor
from guardia.board.core.bundle import BundledPlan
from guardia.board.core.context import BoardContext
from guardia.board.core.kill_switch import kill_switch_is_on
from guardia.board.core.lifecycle import ActorKind, Move, State
from guardia.board.core.lookup import get_issue, lock_task, lock_tasks
from guardia.board.core.model import ActionRun, Directive, Issue, Task
from guardia.board.core.outbox import reply_to_room
from guardia.board.core.plan import Category, Plan
from guardia.board.core.transitions import move_task, update_issue_state
from guardia.board.execution import bundles
from guardia.board.issues.receiving import NewIssue, open_issue, open_task
from guardia.board.remote_console import policy, records
from guardia.board.remote_console.model import RemoteRun, RemoteTarget
from guardia.board.remote_console.policy import Counts, RunKind, RunState, TargetState
from guardia.db.engine import repeat_on_conflict
from guardia.errors import GuardiaError, IllegalMove, Refused
from guardia.i18n import t, t_default
from guardia.org import registry
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Server

CHANNEL = "remote"
_ACTIVE = (RunState.PENDING, RunState.RUNNING, RunState.STOPPING)
log = logging.getLogger(__name__)


@repeat_on_conflict
def confirm(board: BoardContext, person: PersonInfo, number: int) -> int:
    """File a drafted change for its approvals; return the number of its issue.

    Only who drafted it may confirm it. Raises `Refused` if no server is left in it.
    """
    records.require_runner(person, number)
    require_permission(person, "directive.force")
    board.sign_checkpoint()
    now, by = board.clock(), Actor.of(person)
    with board.database.transaction() as session:
        if kill_switch_is_on(session):
            raise Refused(why=t("board.switch_on"))
        row = records.lock(session, number)
        if row.state != RunState.DRAFT:
            raise IllegalMove(state=t(f"remote.state.{row.state}"), move=t("remote.confirm"))
        if row.created_by != str(by):
            raise Refused(why=t("remote.not_yours"))
        chosen = _waiting(session, number)
        if not chosen:
            raise Refused(why=t("remote.none_left"))
        title = t_default(f"tools.{row.tool}.title")
        text = t_default("remote.because", title=title, count=len(chosen), reason=row.reason)
        issue = _issue(session, row, person, text, chosen, now)
        task = open_task(session, issue.sr_id, now, state=State.PARSED)
        update_issue_state(session, issue.sr_id, now)
        row.sr_id, row.root_task_id, row.state = issue.sr_id, task.task_id, RunState.PENDING.value
        given = {"run": number, "tool": row.tool, "args": row.args}
        directive = rollback.create_directive(
            session, task, "force", by, row.reason, now, detail=given
        )
        words = {"sr": issue.sr_id, "who": by.label, "verb": t("board.verb.force")}
        said = t("board.ordered", **words, reason=row.reason)
        reply_to_room(session, issue, said, now, public="")
        names = ", ".join(one.server_id for one in chosen[:10])
        rollback.record_directive(session, directive, by, now, names)
        root = bundle.root_plan(Category.FORCED, title, text, passage(row, chosen))
        bundles.store_root(session, issue, task, root, by, now)
        detail = {"root": task.task_id, "servers": [one.server_id for one in chosen]}
        kind = EntryKind.REMOTE_CONFIRMED
        records.record(session, row, kind, by, now, detail, count=len(chosen))
        return issue.sr_id


def passage(row: RemoteRun, chosen: Sequence[RemoteTarget]) -> str:
    """Return the text to which the approval is bound: action, reason, effects, each plan."""
    plans = [Plan.model_validate(one.plan) for one in chosen]
    effects = [f"- {one.server}: {_line(one.actions[0].effect)}" for one in plans]
    terms = (
        f"action {row.tool} {json.dumps(row.args, ensure_ascii=False, sort_keys=True)}",
        f"reason {_line(row.reason)}",
        *effects,
    )
    return bundle.passage_of(terms, [BundledPlan(1, "-", plan) for plan in plans])


def _line(text: str) -> str:
    """Return a text as one line, so that it cannot pass as a line of the list of plans."""
    return " ".join(text.split())


def _issue(
    session: Session,
    row: RemoteRun,
    person: PersonInfo,
    text: str,
    chosen: Sequence[RemoteTarget],
    now: datetime,
) -> Issue:
    """Return the linked issue, or open one for the change."""
    if row.sr_id is not None:
        return get_issue(session, row.sr_id)
    names = [one.server_id for one in chosen]
    owners = set(session.scalars(select(Server.inst_id).where(Server.server_id.in_(names))))
    new = NewIssue(
        text=text,
        title=text[:80],
        channel=CHANNEL,
        sender=person.name,
        requester_id=person.id,
        institution=owners.pop() if len(owners) == 1 else None,
        kind="CHANGE",
        triage={"servers": names},
    )
    issue = open_issue(session, new, now)
    session.flush()
    audit_log.append(
        session,
        EntryKind.RECEIVED,
        actor=str(Actor.of(person)),
        now=now,
        sr_id=issue.sr_id,
        detail={"title": issue.title, "body": issue.body, "run": row.run_id},
        sr=issue.sr_id,
        channel=CHANNEL,
        who=person.name,
    )
    return issue


def _waiting(session: Session, number: int, most: int | None = None) -> list[RemoteTarget]:
    query = select(RemoteTarget).where(
        RemoteTarget.run_id == number, RemoteTarget.state == TargetState.WAITING.value
    )
    return list(session.scalars(query.order_by(RemoteTarget.ordinal).limit(most)))


# --- What follows by itself, from the tables alone ------------------------------------------------


def advance_all(board: BoardContext) -> int:
    """Take the next step of every change that is open; return how many were looked at."""
    with board.database.reading() as session:
        query = select(RemoteRun.run_id).where(
            RemoteRun.kind == RunKind.CHANGE.value, RemoteRun.state.in_(_ACTIVE)
        )
        numbers = list(session.scalars(query.order_by(RemoteRun.run_id)))
    for number in numbers:
        try:
            advance(board, number)
        except GuardiaError as error:
            log.warning("remote run %s: %s", number, error)
    return len(numbers)


@repeat_on_conflict
def advance(board: BoardContext, number: int) -> RunState:
    """Take one step of a change, if there is one to take; return its state."""
    now = board.clock()
    with board.database.transaction() as session:
        stopped = kill_switch_is_on(session)
        known = session.scalar(select(RemoteRun.root_task_id).where(RemoteRun.run_id == number))
        root = lock_task(session, known or 0)
        row = records.lock(session, number)
        if row.state == RunState.PENDING:
            _begin_if_approved(session, row, root, now, stopped=stopped)
        elif RunState(row.state) in _ACTIVE:
            _take_step(session, row, root, now, stopped=stopped)
        return RunState(row.state)


def _begin_if_approved(
    session: Session, row: RemoteRun, root: Task, now: datetime, *, stopped: bool
) -> None:
    if root.status == State.PENDING_APPROVAL or stopped:
        return
    if root.status == State.APPROVED:
        if root.run_after is None or root.run_after <= now:
            row.state = RunState.RUNNING.value
            records.announce(session, row.run_id)
        return
    row.why = t_default("remote.not_approved")
    _stop_waiting(session, row, row.why, now)
    counts = records.counts_of(session, row.run_id)
    records.record_end(session, row, RunState.CANCELLED, counts, records.CLOCK, now)


def _take_step(
    session: Session, row: RemoteRun, root: Task, now: datetime, *, stopped: bool
) -> None:
    changed = _refresh(session, row.run_id, now)
    if row.state == RunState.RUNNING and (stopped or root.status != State.APPROVED):
        row.state = RunState.STOPPING.value
        row.why = t_default("remote.switch" if stopped else "remote.not_approved")
    counts = records.counts_of(session, row.run_id)
    if row.state == RunState.STOPPING or policy.has_failed(counts):
        why = row.why or t_default(
            "remote.stopped" if row.state == RunState.STOPPING else "remote.after_failure"
        )
        changed = bool(_stop_waiting(session, row, why, now)) or changed
        if row.state == RunState.STOPPING and _withdraw(session, row.run_id, why, now):
            changed = _refresh(session, row.run_id, now) or changed
    elif most := policy.changes_to_begin(counts):
        _begin(session, row, root, _waiting(session, row.run_id, most), now)
        changed = True
    session.flush()
    counts = records.counts_of(session, row.run_id)
    to = policy.end_of(RunState(row.state), counts)
    if to is not None:
        _end_root(session, root, to, counts, now)
        records.record_end(session, row, to, counts, records.CLOCK, now)
    elif changed:
        records.announce(session, row.run_id)


def _stop_waiting(session: Session, row: RemoteRun, why: str, now: datetime) -> list[str]:
    return records.end_targets(
        session, row.run_id, TargetState.WAITING, TargetState.STOPPED, why, now
    )


def _withdraw(session: Session, number: int, why: str, now: datetime) -> int:
    """Abort the tasks of a run whose work has not begun; return how many.

    Under the kill switch they would only wait, and go on after its release.
    """
    mine = select(RemoteTarget.task_id).where(
        RemoteTarget.run_id == number, RemoteTarget.state == TargetState.RUNNING.value
    )
    before_work = Task.status.in_((State.PARSED.value, State.APPROVED.value))
    tasks = lock_tasks(session, Task.task_id.in_(mine) & before_work)
    for task in tasks:
        directive = rollback.create_directive(session, task, "abort", records.CLOCK, why, now)
        move_task(session, task, Move.ABORT, actor=ActorKind.PERSON, now=now)
        rollback.record_directive(session, directive, records.CLOCK, now, task.target_server)
    return len(tasks)


def _refresh(session: Session, number: int, now: datetime) -> bool:
    """Take over how the tasks of the running servers have ended; return whether any has."""
    attempted = exists().where(ActionRun.task_id == Task.task_id, ActionRun.phase == "do")
    undoing = exists().where(Directive.task_id == Task.task_id, Directive.state == "UNDOING")
    query = (
        select(RemoteTarget, Task.status, attempted, undoing)
        .join(Task, Task.task_id == RemoteTarget.task_id)
        .where(RemoteTarget.run_id == number, RemoteTarget.state == TargetState.RUNNING.value)
        .order_by(RemoteTarget.ordinal)
    )
    found = False
    for one, status, changed, back in session.execute(query).all():
        state = policy.state_of_change(status, undoing=back, changed=changed)
        if state is TargetState.RUNNING:
            continue
        found = True
        one.state, one.ended_at = state.value, now
        one.milliseconds = round((now - (one.started_at or now)).total_seconds() * 1000)
        if state is not TargetState.OK:
            one.why = t_default("remote.see_task", state=t_default(f"state.{status}"))
    session.flush()
    return found


def _begin(
    session: Session, row: RemoteRun, root: Task, batch: Sequence[RemoteTarget], now: datetime
) -> None:
    """File the plans of some servers; their agents carry them out."""
    author = Actor.parse(row.created_by) or records.CLOCK
    issue = get_issue(session, root.sr_id)
    for one in batch:
        try:
            with session.begin_nested():
                host = registry.host(session, one.server_id)
                task = open_task(
                    session,
                    issue.sr_id,
                    now,
                    state=State.PARSED,
                    server=one.server_id,
                    agent_id=choose_agent(session, issue, host),
                    engineer_id=issue.assignee_id,
                )
                session.flush()
                plan = Plan.model_validate(one.plan)
                bundles.store_bundled(session, root, task, plan, author, now)
                one.task_id, one.state = task.task_id, TargetState.RUNNING.value
                one.started_at = now
                session.flush()
        except GuardiaError as error:
            one.state, one.why, one.ended_at = TargetState.REFUSED.value, str(error), now
    update_issue_state(session, issue.sr_id, now)


def _end_root(session: Session, root: Task, to: RunState, counts: Counts, now: datetime) -> None:
    """End the root task with the run, so that its issue says how it ended."""
    if root.status != State.APPROVED:
        return
    if to is RunState.STOPPED:
        move_task(session, root, Move.ABORT, actor=ActorKind.PERSON, now=now)
        return
    move_task(session, root, Move.START, actor=ActorKind.AGENT, now=now)
    if set(counts) == {TargetState.OK}:
        end = Move.COMPLETE
    elif counts.get(TargetState.UNKNOWN, 0) or not counts.get(TargetState.FAILED, 0):
        end = Move.HAND_OVER
    else:
        end = Move.FAIL
    move_task(session, root, end, actor=ActorKind.AGENT, now=now)
