"""Acceptance of completed work by its requester or by an engineer of the server.

Without an answer in time the requester's acceptance lapses, which counts as consent; an engineer's
is a safety control, so it escalates to team leads and stays open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.approvals import deciding_roles, requests, start_time
from guardia.board.approvals.model import Acceptance
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.core.lookup import get_issue, lock_task
from guardia.board.core.model import Issue, Task
from guardia.board.core.outbox import reply_to_room, send
from guardia.board.issues import visibility
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Forbidden, Stale
from guardia.i18n import t, t_default
from guardia.org import identity
from guardia.org.access import is_allowed, require_permission
from guardia.org.approver_assignments import ENGINEER
from guardia.org.directory import PersonInfo
from guardia.text import MAX_REASON, trim

REQUESTER = "requester"
_CLOCK = Actor.system("clock")
_ESCALATED_ROLE = "team_lead"


@dataclass(frozen=True, slots=True)
class AcceptanceView:
    """The acceptance of a task as its page shows it."""

    task_id: int
    asked_of: str
    """`requester` or `engineer`."""
    state: str
    due_at: datetime | None
    escalated: bool
    decided_by: str | None
    decided_at: datetime | None
    mine: bool
    """Whether the viewer may accept now."""


def request_acceptance(session: Session, issue: Issue, task: Task, now: datetime) -> None:
    """Ask for acceptance of a completed task if the policy of its category demands it.

    A requester without an account cannot accept: an engineer of the server is asked instead.
    """
    policy = requests.policy_for(session, task.category)
    if policy.acceptance is None:
        return
    known = policy.acceptance == REQUESTER and issue.requester_id is not None
    asked_of = REQUESTER if known else ENGINEER
    due = now + policy.accept_within
    session.add(
        Acceptance(
            task_id=task.task_id,
            sr_id=task.sr_id,
            asked_of=asked_of,
            state="WAITING",
            asked_at=now,
            due_at=due,
        )
    )
    session.flush()
    at = start_time.format_local(session, due)
    text = t(f"board.acceptance.{asked_of}", sr=issue.sr_id, at=at, server=task.target_server)
    if asked_of == REQUESTER:
        reply_to_room(session, issue, text, now)
    else:
        send(session, "alert", text, now, sr_id=issue.sr_id)


@repeat_on_conflict
def accept(
    board: BoardContext, person: PersonInfo, task_id: int, reason: str = ""
) -> AcceptanceView:
    """Accept a completed task. Raises `Stale` if nothing waits, `Forbidden` for anyone else."""
    require_permission(person, "issue.accept")
    now = board.clock()
    with board.database.transaction() as session:
        task = lock_task(session, task_id)
        issue, row = get_issue(session, task.sr_id), _waiting(session, task)
        if row is None or task.status != State.COMPLETED:
            raise Stale(what=issue.ref)
        if not _may_accept(session, person, issue, task, row, now):
            raise Forbidden(who=f"{person.name} {person.title}", action=t("org.right.issue.accept"))
        row.state, row.decided_by, row.decided_at = "ACCEPTED", str(Actor.of(person)), now
        row.reason, row.due_at = trim(reason, MAX_REASON), None
        session.flush()
        view = _view(session, person, issue, task, row, now)
        _log(session, EntryKind.ACCEPTED, task, row, Actor.of(person), now)
        return view


def close_waiting(session: Session, task: Task, state: str, by: Actor, now: datetime) -> None:
    """End the waiting acceptance of a task that is reopened or undone."""
    row = _waiting(session, task)
    if row is not None:
        row.state, row.decided_by, row.decided_at, row.due_at = state, str(by), now, None


def _waiting(session: Session, task: Task) -> Acceptance | None:
    query = select(Acceptance).where(
        Acceptance.task_id == task.task_id, Acceptance.state == "WAITING"
    )
    return session.scalar(query.with_for_update())


def _may_accept(
    session: Session,
    person: PersonInfo,
    issue: Issue,
    task: Task,
    row: Acceptance,
    now: datetime,
) -> bool:
    if not is_allowed(person, "issue.accept"):
        return False
    if row.asked_of == REQUESTER:
        return visibility.is_requester(session, person, issue)
    excluded = requests.excluded_accounts(issue, task)
    humans = identity.accounts_of_same_people(session, excluded)
    if person.id in excluded or person.id in humans:
        return False
    roles = {ENGINEER, *({_ESCALATED_ROLE} if row.escalated_at else set())}
    found = deciding_roles.approver_roles(session, person, now, issue.inst_id, task.target_server)
    return any(role.role in roles for role in found)


def process_overdue(session: Session, board: BoardContext, acceptance_id: int) -> bool:
    """Let an overdue acceptance lapse or escalate; return whether it was due."""
    now = board.clock()
    known = session.get(Acceptance, acceptance_id)
    if known is None:
        return False
    task = lock_task(session, known.task_id)
    row = _waiting(session, task)
    if row is None or row.due_at is None or row.due_at > now:
        return False
    row.due_at = None
    if task.status != State.COMPLETED:
        row.state = "VOID"
        return True
    issue = get_issue(session, task.sr_id)
    if row.asked_of == REQUESTER:
        row.state, row.decided_at = "LAPSED", now
        kind = EntryKind.ACCEPTANCE_LAPSED
        reply_to_room(session, issue, t("board.acceptance.lapsed", sr=issue.sr_id), now)
    else:
        row.escalated_at, kind = now, EntryKind.ACCEPTANCE_ESCALATED
        text = t("board.acceptance.escalated", sr=issue.sr_id, server=task.target_server)
        send(session, "alert", text, now, sr_id=issue.sr_id)
    session.flush()
    _log(session, kind, task, row, _CLOCK, now)
    return True


def _log(
    session: Session, kind: EntryKind, task: Task, row: Acceptance, by: Actor, now: datetime
) -> None:
    log.append(
        session,
        kind,
        actor=str(by),
        now=now,
        sr_id=task.sr_id,
        task_id=task.task_id,
        detail={"asked_of": row.asked_of, "reason": row.reason, "plan_hash": task.plan_hash},
        who=by.label,
        by=t_default(f"board.acceptance.by.{row.asked_of}"),
    )


def views(
    session: Session, viewer: PersonInfo, issue: Issue, tasks: Sequence[Task], now: datetime
) -> tuple[AcceptanceView, ...]:
    """Return the last acceptance of each completed task of an issue."""
    if all(task.status != State.COMPLETED for task in tasks):
        return ()
    query = select(Acceptance).where(Acceptance.sr_id == issue.sr_id)
    last = {row.task_id: row for row in session.scalars(query.order_by(Acceptance.acceptance_id))}
    return tuple(
        _view(session, viewer, issue, task, last[task.task_id], now)
        for task in tasks
        if task.task_id in last and task.status == State.COMPLETED
    )


def _view(
    session: Session,
    viewer: PersonInfo,
    issue: Issue,
    task: Task,
    row: Acceptance,
    now: datetime,
) -> AcceptanceView:
    waits = row.state == "WAITING"
    return AcceptanceView(
        task.task_id,
        row.asked_of,
        row.state,
        row.due_at,
        row.escalated_at is not None,
        row.decided_by,
        row.decided_at,
        waits and _may_accept(session, viewer, issue, task, row, now),
    )


def waiting_tasks(board: BoardContext, sr_id: int) -> list[int]:
    """Return the completed tasks of an issue that wait for acceptance."""
    query = select(Acceptance.task_id).where(
        Acceptance.sr_id == sr_id, Acceptance.state == "WAITING"
    )
    with board.database.reading() as session:
        return list(session.scalars(query.order_by(Acceptance.task_id)))
