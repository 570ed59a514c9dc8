"""Evidence of a routine: verified successes and failures, counted from audit entries alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import ActorKind
from guardia.board.core.model import Task
from guardia.board.core.plan import Plan
from guardia.board.standing.policy import Routine, counted
from guardia.org import registry

OVERRIDES = frozenset({"abort", "manual", "return", "reanalyze", "change", "rollback", "reopen"})
"""Directives by which a person overrides a plan."""
_FAILURES = frozenset(
    {
        EntryKind.FAILED,
        EntryKind.HANDED_OVER,
        EntryKind.RESULT_FAILED,
        EntryKind.UNDONE,
        EntryKind.NOT_RESTORED,
        EntryKind.REOPENED,
    }
)
_RELEVANT = (*_FAILURES, EntryKind.COMPLETED, EntryKind.RESULT, EntryKind.ORDERED)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the audit log says about a routine."""

    successes: tuple[int, ...]
    """Entries of verified successes since the last failure."""
    last_failure: int | None
    tools: tuple[str, ...]
    """Tools of the changes that succeeded."""


def routine_of(session: Session, plan: Plan) -> Routine | None:
    """Return the routine of a plan, or `None` if its server belongs to no class."""
    institution, kind = registry.class_of(session, plan.server)
    if not institution or not kind:
        return None
    cited = plan.citation
    return Routine(cited.document, cited.version, cited.sha256, plan.category, institution, kind)


def started_detail(session: Session, task: Task, plan: Plan) -> dict[str, Any]:
    """Return what the entry of a start says for later evidence; nothing for plans of people."""
    routine = routine_of(session, plan)
    checked = bool(plan.verify) or all(action.verify for action in plan.actions)
    if routine is None or not checked or not plan.actions:
        return {}
    if Actor.kind_of(task.plan_author) is not ActorKind.AGENT:
        return {}
    tools = sorted({action.call.tool for action in plan.actions})
    return {"routine": routine.as_dict(), "tools": tools}


def collect(session: Session, routine: Routine) -> Evidence:
    """Count the executions of a routine in the audit log."""
    entry = AuditEntry
    starts = session.execute(
        select(entry.seq, entry.task_id, entry.detail)
        .where(
            entry.kind == EntryKind.STARTED, entry.detail.contains({"routine": routine.as_dict()})
        )
        .order_by(entry.seq)
    ).all()
    found = session.execute(
        select(entry.seq, entry.task_id, entry.kind, entry.actor, entry.detail)
        .where(entry.task_id.in_({s.task_id for s in starts}), entry.kind.in_(_RELEVANT))
        .order_by(entry.seq)
    ).all()
    successes, failures, tools = list[int](), list[int](), set[str]()
    for start in starts:
        after = [e for e in found if e.task_id == start.task_id and e.seq > start.seq]
        failures += [e.seq for e in after if _is_failure(e)]
        if (done := _success(after)) is not None:
            successes.append(done)
            tools |= set(start.detail["tools"])
    last = max(failures, default=None)
    return Evidence(counted(sorted(set(successes)), failures), last, tuple(sorted(tools)))


def _is_failure(entry: Any) -> bool:
    if entry.kind == EntryKind.ORDERED:
        return entry.detail.get("verb") in OVERRIDES
    return entry.kind in _FAILURES


def _success(after: list[Any]) -> int | None:
    """Return the entry of a completion by an agent, after at least one successful change."""
    if not any(e.kind == EntryKind.RESULT for e in after):
        return None
    done = (
        e.seq
        for e in after
        if e.kind == EntryKind.COMPLETED and Actor.kind_of(e.actor) is ActorKind.AGENT
    )
    return next(done, None)
