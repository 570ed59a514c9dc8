"""Hiring by agents: one asks for a colleague, a person decides, the org chart is revised."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.chain import clean
from guardia.board.core.claims import Hold, held
from guardia.board.core.context import Desk
from guardia.board.core.lifecycle import Actor, Move, State
from guardia.board.core.lookup import issue_of
from guardia.board.core.model import Task
from guardia.board.core.transitions import move
from guardia.board.core.wake_reasons import Reason
from guardia.board.core.wakes import wake
from guardia.board.hiring import cost_estimate
from guardia.board.hiring.model import Hire
from guardia.board.organization import chart
from guardia.errors import Missing, NotFound, Stale
from guardia.i18n import t, t_record
from guardia.org import edit, revisions
from guardia.org.access import require
from guardia.org.directory import PersonName

_REASON = 1_000
_WAITS = (State.RECEIVED, State.PARSED)


@dataclass(frozen=True, slots=True)
class Opening:
    """A place to be filled."""

    agent_id: str
    """The id that the new agent is to have."""
    title: str
    skills: tuple[str, ...]
    reports_to: str | None
    reason: str


def request(desk: Desk, hold: Hold, opening: Opening) -> int | None:
    """An agent asks for a colleague for the task it holds; returns the request's number.

    One waiting request for one place is enough, and what people have once rejected for a skill is
    not asked again by agents alone: ``None``.
    """
    now = desk.clock()
    with desk.database.transaction() as session:
        held(session, hold)
        if _rejected_before(session, opening):
            return None
        number = ask(session, opening, f"agent:{hold.agent_id}", hold.sr_id, now)
        _record_asked(session, number, now)
        return number


def ask(session: Session, opening: Opening, actor: str, sr_id: int, now: datetime) -> int:
    """A waiting request for this place: a new one, or the one that waits already."""
    expected = cost_estimate.estimate(session, opening.skills, now)
    made = session.scalar(
        insert(Hire)
        .values(
            sr_id=sr_id,
            requested_by=actor,
            agent_id=opening.agent_id,
            title=opening.title,
            skills=list(opening.skills),
            reports_to=opening.reports_to,
            monthly_won=expected.won,
            estimate=expected.basis,
            reason=clean(opening.reason)[:_REASON],
            state="WAITING",
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(Hire.hire_id)
    )
    if made is not None:
        return int(made)
    waiting = select(Hire.hire_id).where(Hire.agent_id == opening.agent_id, Hire.state == "WAITING")
    found = session.scalar(waiting)
    if found is None:
        # Decided between the two statements.
        raise Stale(what=opening.agent_id)
    return found


def _rejected_before(session: Session, opening: Opening) -> bool:
    query = select(Hire.hire_id).where(Hire.agent_id == opening.agent_id, Hire.state == "REJECTED")
    return session.scalar(query.limit(1)) is not None


def _record_asked(session: Session, number: int, now: datetime) -> None:
    row = _hire(session, number)
    log.append(
        session,
        "hire_requested",
        actor=row.requested_by,
        now=now,
        sr_id=row.sr_id,
        detail=_told(row),
        title=row.title,
        reason=row.reason,
    )


def approve(desk: Desk, person: PersonName, hire_id: int) -> int:
    """Hire: a new revision of the org chart with this person as its author, and whatever waited for
    the new agent is its. Returns the revision. It works from the next beat on."""
    require(person, "hire.decide")
    now, author = desk.clock(), f"person:{person.id}"
    with desk.database.transaction() as session:
        row = _open(session, hire_id)
        waiting = _waiting(session, hire_id)
        applied = chart.replace(session, _chart_with(session, row), author, now)
        row.state, row.revision = "APPROVED", applied.revision
        row.decided_by, row.decided_at = person.id, now
        session.flush()
        for task in waiting:
            _assign(session, task, row.agent_id, author, now)
        wake(session, row.agent_id, Reason.HIRED, now, cause={"hire": hire_id}, by=author)
        chart.record(session, applied, author, now)
        _record(session, row, "hire_approved", person, now, revision=applied.revision)
        return applied.revision


def reject(desk: Desk, person: PersonName, hire_id: int, reason: str) -> None:
    """Nobody is hired: what waited for it goes to people."""
    require(person, "hire.decide")
    text, now = clean(reason).strip()[:_REASON], desk.clock()
    if not text:
        raise Missing(what=t("desk.reason"))
    with desk.database.transaction() as session:
        row = _open(session, hire_id)
        row.state, row.decision_reason = "REJECTED", text
        row.decided_by, row.decided_at = person.id, now
        waiting = _waiting(session, hire_id)
        for task in waiting:
            move(session, task, Move.HAND_OVER, actor=Actor.PERSON, now=now, hire_id=None)
        session.flush()
        _record(session, row, "hire_rejected", person, now, reason=text)
        for task in waiting:
            _record_handed_over(session, task, row, now)


def _chart_with(session: Session, row: Hire) -> str:
    """The running chart's text with the new agent in it."""
    number = revisions.hold(session)
    if number is None:
        raise NotFound(what=t("org.chart.name"))
    text = revisions.chart_text(session, number)
    known = {agent.id for agent in revisions.running(session).agents}
    entry = {
        "id": row.agent_id,
        "title": row.title,
        "duty": "operate",
        **({"reports_to": row.reports_to} if row.reports_to in known else {}),
        "skills": list(row.skills),
        # The one that its cost was reckoned for.
        **({"brain": json.loads(brain)} if (brain := row.estimate.get("brain")) else {}),
    }
    return edit.hire(text, entry)


def _open(session: Session, hire_id: int) -> Hire:
    row = _hire(session, hire_id, lock=True)
    if row.state != "WAITING":
        raise Stale(what=row.title)
    return row


def _hire(session: Session, hire_id: int, *, lock: bool = False) -> Hire:
    query = select(Hire).where(Hire.hire_id == hire_id)
    row = session.scalar(query.with_for_update(key_share=True) if lock else query)
    if row is None:
        raise NotFound(what=f"{t('goals.hire')} {hire_id}")
    return row


def _waiting(session: Session, hire_id: int) -> Sequence[Task]:
    """Tasks that nobody claims before this is decided; locked before the record is."""
    return session.scalars(
        select(Task)
        .where(Task.hire_id == hire_id, Task.status.in_(_WAITS), Task.agent_id.is_(None))
        .order_by(Task.task_id)
        .with_for_update(key_share=True)
    ).all()


def _assign(session: Session, task: Task, agent_id: str, by: str, now: datetime) -> None:
    issue_of(session, task.sr_id).agent_id = agent_id
    session.flush()
    if task.status == State.RECEIVED:
        move(session, task, Move.PARSE, actor=Actor.AGENT, now=now, agent_id=agent_id)
    else:
        task.agent_id = agent_id
    wake(session, agent_id, Reason.ASSIGNMENT, now, task.sr_id, cause={"hire": task.hire_id}, by=by)


def _record(
    session: Session,
    row: Hire,
    kind: str,
    person: PersonName,
    now: datetime,
    **words: str | int,
) -> None:
    log.append(
        session,
        kind,
        actor=f"person:{person.id}",
        now=now,
        sr_id=row.sr_id,
        task_id=None,
        detail=_told(row) | {"reason_given": row.decision_reason},
        who=person.name,
        title=row.title,
        **words,
    )


def _record_handed_over(session: Session, task: Task, row: Hire, now: datetime) -> None:
    text = t_record("goals.not_hired", title=row.title, reason=row.decision_reason)
    log.append(
        session,
        "handed_over",
        actor=row.requested_by,
        now=now,
        sr_id=task.sr_id,
        task_id=task.task_id,
        detail={"text": text},
        text=text,
    )


def _told(row: Hire) -> dict[str, object]:
    return {
        "hire": row.hire_id,
        "agent": row.agent_id,
        "skills": list(row.skills),
        "reports_to": row.reports_to,
        "monthly_won": row.monthly_won,
        "estimate": row.estimate,
        "reason": row.reason,
    }
