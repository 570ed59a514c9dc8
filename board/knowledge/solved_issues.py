"""Read an ended issue as what a document can be made of: request, steps, result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import stored_prefix
from guardia.board.core.lifecycle import ActorKind
from guardia.board.core.model import Comment, Directive, Issue, Task
from guardia.board.core.plan_model import PlanVersion
from guardia.org.model import Person

_MOST_COMMENTS = 20
_MOST_TEXT = 4000
_AGENT = "dispatcher"


@dataclass(frozen=True, slots=True)
class SolvedIssue:
    """An ended issue with what a document can be made of."""

    sr_id: int
    title: str
    request: str
    steps: tuple[str, ...]
    """What people did: their plans, then what the staff wrote, the earliest first."""
    result: str
    institution: str | None
    agent: str
    servers: tuple[str, ...] = ()
    closed_at: datetime | None = None
    failures: tuple[str, ...] = ()
    """Why the work of an agent failed."""
    is_by_people: bool = False
    """Whether people solved it: by a plan of their own, or by hand."""


def read_issue(session: Session, issue: Issue) -> SolvedIssue:
    """Return what is known about an issue."""
    plans = _plans_of_people(session, issue.sr_id)
    by_hand = _by_hand(session, issue.sr_id)
    told = [str(one.get("text") or "") for one in _ends(session, issue.sr_id, EntryKind.COMPLETED)]
    servers = select(Task.target_server).where(Task.sr_id == issue.sr_id).order_by(Task.task_id)
    return SolvedIssue(
        sr_id=issue.sr_id,
        title=issue.title,
        request=issue.body[:_MOST_TEXT],
        steps=(*(text for plan in plans for text in _steps(plan)), *_written(session, issue.sr_id)),
        result=(by_hand or next((text for text in told if text), ""))[:_MOST_TEXT],
        institution=issue.inst_id,
        agent=issue.agent_id or _AGENT,
        servers=tuple(dict.fromkeys(one for one in session.scalars(servers) if one)),
        closed_at=issue.closed_at,
        failures=tuple(
            str(one.get("text") or "")[:_MOST_TEXT]
            for one in _ends(session, issue.sr_id, EntryKind.FAILED)
        ),
        is_by_people=bool(plans) or by_hand is not None,
    )


def _written(session: Session, sr_id: int) -> list[str]:
    """Return what the staff wrote."""
    query = (
        select(Comment.body)
        .join(Person, Comment.author == stored_prefix(ActorKind.PERSON) + Person.person_id)
        .where(Comment.sr_id == sr_id, Comment.deleted_at.is_(None), Person.role != "customer")
        .order_by(Comment.comment_id)
        .limit(_MOST_COMMENTS)
    )
    return [body[:_MOST_TEXT] for body in session.scalars(query) if body.strip()]


def _ends(session: Session, sr_id: int, kind: EntryKind) -> list[dict[str, object]]:
    """Return the details of the entries of one kind, the latest first."""
    query = select(AuditEntry.detail).where(
        AuditEntry.sr_id == sr_id, AuditEntry.kind == kind.value
    )
    return list(session.scalars(query.order_by(AuditEntry.seq.desc()).limit(3)))


def _by_hand(session: Session, sr_id: int) -> str | None:
    """Return what a person reported who ended an issue by hand, if this was its last direction."""
    query = select(Directive.verb, Directive.reason).where(Directive.sr_id == sr_id)
    last = session.execute(query.order_by(Directive.directive_id.desc()).limit(1)).one_or_none()
    return last[1] if last is not None and last[0] == "complete" else None


def _plans_of_people(session: Session, sr_id: int) -> list[dict[str, object]]:
    """Return the last plan of each task that a person wrote."""
    newest = (
        select(PlanVersion.task_id, func.max(PlanVersion.number).label("number"))
        .join(Task, Task.task_id == PlanVersion.task_id)
        .where(Task.sr_id == sr_id)
        .group_by(PlanVersion.task_id)
        .subquery()
    )
    query = (
        select(PlanVersion.plan)
        .join(
            newest,
            (newest.c.task_id == PlanVersion.task_id) & (newest.c.number == PlanVersion.number),
        )
        .where(PlanVersion.author.startswith(stored_prefix(ActorKind.PERSON)))
        .order_by(PlanVersion.task_id)
    )
    return list(session.scalars(query))


def _steps(plan: dict[str, object]) -> Iterator[str]:
    actions = plan.get("actions")
    effects = [str(one.get("effect") or "") for one in actions] if isinstance(actions, list) else []
    text = "\n".join(f"- {effect}" for effect in effects if effect)
    if text:
        yield text[:_MOST_TEXT]
