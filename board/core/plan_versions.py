"""Numbered plans of a task: file one, return it with a request, answer the request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Text, any_, bindparam, func, literal, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.util import identity_key

from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import ActorKind
from guardia.board.core.model import Task
from guardia.board.core.plan import Plan
from guardia.board.core.plan_model import PlanVersion
from guardia.db.entities import Entities, Insertion
from guardia.db.statement import Statement

RETURNED_TO_AGENT = ("change", "again")
"""Ways of returning a plan that its agent has to answer."""
# Built once: composing them takes longer than running them.
_OF_TASK = PlanVersion.task_id == bindparam("task")
_LATEST = Entities(
    PlanVersion,
    select(PlanVersion).where(_OF_TASK).order_by(PlanVersion.number.desc()).limit(1),
)
_LAST = select(func.coalesce(func.max(PlanVersion.number), 0)).where(
    PlanVersion.task_id == bindparam("task_id")
)
_NEXT = Insertion(PlanVersion, number=_LAST.scalar_subquery() + 1)
_ANSWER = Statement(
    update(PlanVersion.__table__)  # type: ignore[arg-type]
    .where(
        _OF_TASK,
        PlanVersion.returned_as == any_(literal(list(RETURNED_TO_AGENT), ARRAY(Text()))),
        PlanVersion.answered_at.is_(None),
    )
    .values(answer=bindparam("answer"), answered_at=bindparam("now"))
    .returning(PlanVersion.number)
)


def versions(session: Session, task_ids: Sequence[int]) -> list[PlanVersion]:
    """Return all plans of tasks in the order of filing."""
    query = select(PlanVersion).where(PlanVersion.task_id.in_(task_ids))
    return list(session.scalars(query.order_by(PlanVersion.task_id, PlanVersion.number)))


def latest(session: Session, task: Task) -> PlanVersion | None:
    """Return the task's last filed plan, or `None` if none was filed."""
    return _LATEST.first(session, {"task": task.task_id})


def add_version(
    session: Session,
    task: Task,
    plan: Plan,
    bound: str,
    author: Actor,
    now: datetime,
    *,
    reason: str = "",
    checks: list[dict[str, Any]] | None = None,
) -> PlanVersion:
    """Add a filed plan with the next number, its hash `bound`, and why a person changed it.

    Its pre-checks are due if a person wrote it: an agent has run them before it files a plan, and
    `checks` are their results.
    """
    row = PlanVersion(
        task_id=task.task_id,
        attempt=task.attempt,
        plan_hash=bound,
        plan=plan.model_dump(mode="json"),
        author=str(author),
        reason=reason,
        filed_at=now,
        checks_due=author.kind is ActorKind.PERSON and any(a.precheck for a in plan.actions),
    )
    if checks is not None:
        row.checks = checks
    return _NEXT.store(session, row)


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
    values = {"task": task_id, "answer": answer, "now": now}
    for (number,) in _ANSWER.run(session, values).fetchall():
        row = session.identity_map.get(identity_key(PlanVersion, (task_id, number)))
        if row is not None:
            set_committed_value(row, "answer", answer)
            set_committed_value(row, "answered_at", now)
