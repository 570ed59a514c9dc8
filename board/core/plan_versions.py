"""Numbered plans of a task: file one, return it with a request, answer the request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import ActorKind
from guardia.board.core.model import Task
from guardia.board.core.plan import Plan
from guardia.board.core.plan_model import PlanVersion

RETURNED_TO_AGENT = ("change", "again")
"""Ways of returning a plan that its agent has to answer."""


def versions(session: Session, task_ids: Sequence[int]) -> list[PlanVersion]:
    """Return all plans of tasks in the order of filing."""
    query = select(PlanVersion).where(PlanVersion.task_id.in_(task_ids))
    return list(session.scalars(query.order_by(PlanVersion.task_id, PlanVersion.number)))


def latest(session: Session, task: Task) -> PlanVersion | None:
    """Return the task's last filed plan, or `None` if none was filed."""
    query = select(PlanVersion).where(PlanVersion.task_id == task.task_id)
    return session.scalar(query.order_by(PlanVersion.number.desc()).limit(1))


def add_version(
    session: Session, task: Task, plan: Plan, bound: str, author: Actor, now: datetime, reason: str
) -> PlanVersion:
    """Add a filed plan with the next number, its hash `bound`, and why a person changed it.

    Its pre-checks are due if a person wrote it: an agent has run them before it files a plan.
    """
    before = latest(session, task)
    row = PlanVersion(
        task_id=task.task_id,
        number=before.number + 1 if before else 1,
        attempt=task.attempt,
        plan_hash=bound,
        plan=plan.model_dump(mode="json"),
        author=str(author),
        reason=reason,
        filed_at=now,
        checks_due=author.kind is ActorKind.PERSON and any(a.precheck for a in plan.actions),
    )
    session.add(row)
    session.flush()
    return row


def mark_returned(
    session: Session, task: Task, how: str, request: str, person: str, now: datetime
) -> None:
    """Keep with the task's present plan how people returned it and what they asked for."""
    row = latest(session, task)
    if row is not None and row.plan_hash == task.plan_hash:
        row.returned_as, row.request = how, request
        row.requested_by, row.requested_at = person, now
        row.checks_due = False


def answer_request(session: Session, task_id: int, answer: str, now: datetime) -> None:
    """Keep the agent's answer with the last request that it has not answered."""
    query = select(PlanVersion).where(
        PlanVersion.task_id == task_id,
        PlanVersion.returned_as.in_(RETURNED_TO_AGENT),
        PlanVersion.answered_at.is_(None),
    )
    for row in session.scalars(query):
        row.answer, row.answered_at = answer, now
