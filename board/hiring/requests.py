"""Hire requests: an agent asks for a colleague, a person decides, the org chart is revised."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim, claimed_task
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import ActorKind, Move, State
from guardia.board.core.lookup import get_issue, lock_issues, lock_tasks
from guardia.board.core.model import Task
from guardia.board.core.reasons import require_reason
from guardia.board.core.transitions import move_task
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.hiring import cost_estimate
from guardia.board.hiring.model import HireRequest
from guardia.board.organization import chart
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NotFound, Stale
from guardia.i18n import t, t_default
from guardia.org import chart_edit, revisions
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.text import MAX_REASON

_UNASSIGNED = (State.RECEIVED, State.PARSED)


@dataclass(frozen=True, slots=True)
class Opening:
    """A position to be filled."""

    agent_id: str
    """The id that the new agent is to have."""
    title: str
    skills: tuple[str, ...]
    reports_to: str | None
    reason: str


@repeat_on_conflict
def request_hire(board: BoardContext, claim: Claim, opening: Opening) -> int | None:
    """Request a colleague for the claimed task; returns the request's number.

    Returns the waiting request for the position if there is one, and `None` if people have
    rejected it before: agents alone do not ask again.
    """
    now = board.clock()
    with board.database.transaction() as session:
        claimed_task(session, claim)
        if _rejected_before(session, opening):
            return None
        number = open_request(session, opening, claim.actor, claim.sr_id, now)
        _record_asked(session, number, now)
        return number


def open_request(
    session: Session, opening: Opening, actor: Actor, sr_id: int, now: datetime
) -> int:
    """Return a waiting request for this position: a new one, or the existing one."""
    expected = cost_estimate.estimate_cost(session, opening.skills, now)
    made = session.scalar(
        insert(HireRequest)
        .values(
            sr_id=sr_id,
            requested_by=str(actor),
            agent_id=opening.agent_id,
            title=opening.title,
            skills=list(opening.skills),
            reports_to=opening.reports_to,
            monthly_won=expected.won,
            estimate=expected.basis,
            reason=opening.reason[:MAX_REASON],
            state="WAITING",
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(HireRequest.hire_id)
    )
    if made is not None:
        return int(made)
    waiting = select(HireRequest.hire_id).where(
        HireRequest.agent_id == opening.agent_id, HireRequest.state == "WAITING"
    )
    found = session.scalar(waiting)
    if found is None:
        # Decided between the two statements.
        raise Stale(what=opening.agent_id)
    return found


def _rejected_before(session: Session, opening: Opening) -> bool:
    query = select(HireRequest.hire_id).where(
        HireRequest.agent_id == opening.agent_id, HireRequest.state == "REJECTED"
    )
    return session.scalar(query.limit(1)) is not None


def _record_asked(session: Session, number: int, now: datetime) -> None:
    row = _hire(session, number)
    log.append(
        session,
        EntryKind.HIRE_REQUESTED,
        actor=row.requested_by,
        now=now,
        sr_id=row.sr_id,
        detail=_audit_detail(row),
        title=row.title,
        reason=row.reason,
    )


@repeat_on_conflict
def approve(board: BoardContext, person: PersonInfo, hire_id: int) -> int:
    """Approve a request: create a revision of the org chart, and assign the waiting tasks.

    Returns the revision, whose author is this person. The new agent works from the next beat on.
    """
    require_permission(person, "hire.decide")
    now, author = board.clock(), Actor.of(person)
    with board.database.transaction() as session:
        row = _lock_waiting(session, hire_id)
        waiting = _waiting_tasks(session, hire_id)
        applied = chart.replace_chart(session, _chart_with(session, row), author, now)
        row.state, row.revision = "APPROVED", applied.revision
        row.decided_by, row.decided_at = person.id, now
        session.flush()
        for task in waiting:
            _assign(session, task, row.agent_id, author, now)
        wake(session, row.agent_id, WakeReason.HIRED, now, cause={"hire": hire_id}, by=author)
        chart.record_chart(session, applied, author, now)
        _record(session, row, EntryKind.HIRE_APPROVED, person, now, revision=applied.revision)
        return applied.revision


@repeat_on_conflict
def reject(board: BoardContext, person: PersonInfo, hire_id: int, reason: str) -> None:
    """Reject a request; the tasks that waited for the new agent are handed over to people."""
    require_permission(person, "hire.decide")
    text, now = require_reason(reason), board.clock()
    with board.database.transaction() as session:
        row = _lock_waiting(session, hire_id)
        row.state, row.decision_reason = "REJECTED", text
        row.decided_by, row.decided_at = person.id, now
        waiting = _waiting_tasks(session, hire_id)
        for task in waiting:
            move_task(session, task, Move.HAND_OVER, actor=ActorKind.PERSON, now=now, hire_id=None)
        session.flush()
        _record(session, row, EntryKind.HIRE_REJECTED, person, now, reason=text)
        for task in waiting:
            _record_handed_over(session, task, row, now)


def _chart_with(session: Session, row: HireRequest) -> str:
    """Return the running chart's text with the new agent in it."""
    number = revisions.lock_latest(session)
    if number is None:
        raise NotFound(what=t("org.chart.name"))
    text = revisions.chart_text(session, number)
    known = {agent.id for agent in revisions.running_chart(session).agents}
    entry = {
        "id": row.agent_id,
        "title": row.title,
        "duty": "operate",
        **({"reports_to": row.reports_to} if row.reports_to in known else {}),
        "skills": list(row.skills),
        # The brain for which the cost was estimated.
        **({"brain": json.loads(brain)} if (brain := row.estimate.get("brain")) else {}),
    }
    return chart_edit.hire(text, entry)


def _lock_waiting(session: Session, hire_id: int) -> HireRequest:
    row = _hire(session, hire_id, lock=True)
    if row.state != "WAITING":
        raise Stale(what=row.title)
    return row


def _hire(session: Session, hire_id: int, *, lock: bool = False) -> HireRequest:
    query = select(HireRequest).where(HireRequest.hire_id == hire_id)
    row = session.scalar(query.with_for_update(key_share=True) if lock else query)
    if row is None:
        raise NotFound(what=f"{t('goals.hire')} {hire_id}")
    return row


def _waiting_tasks(session: Session, hire_id: int) -> Sequence[Task]:
    """Return the unassigned tasks that wait for this decision, locked before the audit log is."""
    waits = and_(Task.hire_id == hire_id, Task.status.in_(_UNASSIGNED), Task.agent_id.is_(None))
    tasks = lock_tasks(session, waits)
    lock_issues(session, {task.sr_id for task in tasks})
    return tasks


def _assign(session: Session, task: Task, agent_id: str, by: Actor, now: datetime) -> None:
    get_issue(session, task.sr_id).agent_id = agent_id
    session.flush()
    if task.status == State.RECEIVED:
        move_task(session, task, Move.PARSE, actor=ActorKind.AGENT, now=now, agent_id=agent_id)
    else:
        task.agent_id = agent_id
    wake(
        session,
        agent_id,
        WakeReason.ASSIGNMENT,
        now,
        task.sr_id,
        cause={"hire": task.hire_id},
        by=by,
    )


def _record(
    session: Session,
    row: HireRequest,
    kind: EntryKind,
    person: PersonInfo,
    now: datetime,
    **words: str | int,
) -> None:
    log.append(
        session,
        kind,
        actor=str(Actor.of(person)),
        now=now,
        sr_id=row.sr_id,
        task_id=None,
        detail=_audit_detail(row) | {"reason_given": row.decision_reason},
        who=person.name,
        title=row.title,
        **words,
    )


def _record_handed_over(session: Session, task: Task, row: HireRequest, now: datetime) -> None:
    text = t_default("goals.not_hired", title=row.title, reason=row.decision_reason)
    log.append(
        session,
        EntryKind.HANDED_OVER,
        actor=row.requested_by,
        now=now,
        sr_id=task.sr_id,
        task_id=task.task_id,
        detail={"text": text},
        text=text,
    )


def _audit_detail(row: HireRequest) -> dict[str, object]:
    return {
        "hire": row.hire_id,
        "agent": row.agent_id,
        "skills": list(row.skills),
        "reports_to": row.reports_to,
        "monthly_won": row.monthly_won,
        "estimate": row.estimate,
        "reason": row.reason,
    }
