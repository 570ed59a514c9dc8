"""What the rules of one server look at: completed and attempted changes, and reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from guardia.board.core.lifecycle import State
from guardia.board.core.model import NOT_STARTED, ActionRun, Task
from guardia.board.core.plan import Plan
from guardia.board.execution.model import CommandOutput
from guardia.board.site_rules.policy import History, PastStep, RuleVersion
from guardia.board.site_rules.terms import FirstTerms, LimitTerms, NeverTerms, OrderTerms, Scope
from guardia.org.model import Server

_Key = TypeVar("_Key", str, Scope)

_RESOLVED_FOR = timedelta(minutes=10)
"""How long the place counts to which a path leads."""
_MOST = 2000
"""Past steps that are read; more than any limit permits."""


@dataclass(slots=True)
class _Needs:
    """What rules look at, each once: hours by server, by place and by read."""

    completed: dict[str, int] = field(default_factory=dict)
    attempted: dict[Scope, int] = field(default_factory=dict)
    reads: dict[str, int] = field(default_factory=dict)
    has_paths: bool = False


def load_history(
    session: Session,
    rules: Iterable[RuleVersion],
    server: str,
    task_id: int | None,
    now: datetime,
    resolver: str = "",
) -> History:
    """Return the history that rules need; what the task itself has done counts as completed.

    `resolver` is the read that says where paths lead.
    """
    needs = _needs(rules, server)
    completed = [
        step
        for place, hours in needs.completed.items()
        for step in _completed(session, place, _since(now, hours), task_id)
    ]
    attempted = [
        step
        for scope, hours in needs.attempted.items()
        for step in _attempted(session, _in_scope(scope), _since(now, hours))
    ]
    reads = [
        step
        for tool, hours in needs.reads.items()
        for step in _reads(session, server, tool, _since(now, hours))
    ]
    real = _real_paths(session, task_id, resolver, now) if needs.has_paths else {}
    return History(completed, _once(attempted), reads, real)


def _needs(rules: Iterable[RuleVersion], server: str) -> _Needs:
    found = _Needs()
    for version in rules:
        match version.rule.terms if version.rule else None:
            case OrderTerms() as terms:
                _extend(found.completed, terms.after, terms.within_hours)
            case FirstTerms() as terms if terms.action:
                _extend(found.completed, server, terms.within_hours)
            case FirstTerms() as terms:
                _extend(found.reads, terms.read, terms.within_hours)
            case LimitTerms() as terms:
                assert version.rule is not None
                here = terms.per == "server"
                place = Scope(server=server) if here else version.rule.scope
                _extend(found.attempted, place, terms.within_hours)
            case NeverTerms() as terms:
                found.has_paths = found.has_paths or bool(terms.paths)
            case _:
                pass
    return found


def _extend(needs: dict[_Key, int], key: _Key, hours: int) -> None:
    needs[key] = max(hours, needs.get(key, 0))


def _real_paths(
    session: Session, task_id: int | None, resolver: str, now: datetime
) -> dict[str, str]:
    """Return where paths lead by the task's own reads of the last minutes; the newest counts."""
    query = (
        select(CommandOutput.findings)
        .where(
            CommandOutput.task_id == task_id,
            CommandOutput.tool == resolver,
            CommandOutput.created_at > now - _RESOLVED_FOR,
        )
        .order_by(CommandOutput.evidence_id)
    )
    return {
        row["path"]: row["real"]
        for findings in session.scalars(query)
        for row in findings.get("paths", ())
    }


def _since(now: datetime, hours: int) -> datetime:
    return now - timedelta(hours=hours)


def _once(steps: Iterable[PastStep]) -> list[PastStep]:
    """Drop what places that overlap have both, so that it counts once."""
    seen = {(s.server, s.tool, repr(sorted(s.args.items())), s.at): s for s in steps}
    return list(seen.values())


def _in_scope(scope: Scope) -> ColumnElement[bool]:
    if scope.server:
        return Task.target_server == scope.server
    if scope.institution:
        servers = select(Server.server_id).where(Server.inst_id == scope.institution)
        return Task.target_server.in_(servers)
    return Task.target_server.is_not(None)


def _attempted(session: Session, where: ColumnElement[bool], since: datetime) -> list[PastStep]:
    return _steps(session, _runs(since).where(where))


def _completed(
    session: Session, server: str, since: datetime, task_id: int | None
) -> list[PastStep]:
    """Return changes that were verified to the end of their task, and those of the task itself."""
    verified = or_(Task.status == State.COMPLETED, Task.task_id == task_id)
    done = (ActionRun.state == "DONE", Task.target_server == server, verified)
    return _steps(session, _runs(since).where(*done))


def _runs(since: datetime) -> Select[ActionRun, Task]:
    return (
        select(ActionRun, Task)
        .join(Task, Task.task_id == ActionRun.task_id)
        .where(ActionRun.intent_at > since, ActionRun.phase == "do", ActionRun.state != NOT_STARTED)
        .order_by(ActionRun.intent_at.desc())
        .limit(_MOST)
    )


def _steps(session: Session, query: Select[ActionRun, Task]) -> list[PastStep]:
    found = []
    plans: dict[tuple[int, str], Plan | None] = {}
    for run, task in session.execute(query):
        key = (run.task_id, run.plan_hash)
        if key not in plans:
            plans[key] = _plan_of(session, task, run.plan_hash)
        plan = plans[key]
        if plan is None or run.ordinal >= len(plan.actions):
            continue
        call = plan.actions[run.ordinal].call
        service = call.args.get("service")
        services = frozenset({service}) if isinstance(service, str) else frozenset[str]()
        found.append(
            PastStep(
                task.target_server or "", call.tool, call.args, run.intent_at, services=services
            )
        )
    return found


def _plan_of(session: Session, task: Task, plan_hash: str) -> Plan | None:
    """Return the plan that was carried out, which people may have replaced since."""
    if task.plan_hash == plan_hash and task.plan is not None:
        return Plan.model_validate(task.plan)
    from guardia.board.core.plan_model import PlanVersion

    query = select(PlanVersion.plan).where(
        PlanVersion.task_id == task.task_id, PlanVersion.plan_hash == plan_hash
    )
    body = session.scalar(query.limit(1))
    return Plan.model_validate(body) if body else None


def _reads(session: Session, server: str, tool: str, since: datetime) -> list[PastStep]:
    """Return the successful reads of a tool on a server; a failed one has no findings."""
    query = (
        select(CommandOutput)
        .join(Task, Task.task_id == CommandOutput.task_id)
        .where(
            Task.target_server == server,
            CommandOutput.tool == tool,
            CommandOutput.created_at > since,
        )
        .order_by(CommandOutput.evidence_id.desc())
        .limit(_MOST)
    )
    return [
        PastStep(server, row.tool, row.args, row.created_at, row.findings)
        for row in session.scalars(query)
        if row.findings
    ]
