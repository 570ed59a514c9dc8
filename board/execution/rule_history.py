"""What the rules of one server look at: completed and attempted changes, and reads."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from guardia.board.core.lifecycle import State
from guardia.board.core.model import ActionRun, Task
from guardia.board.core.plan import Plan
from guardia.board.execution.model import CommandOutput
from guardia.board.site_rules.policy import History, PastStep, RuleVersion
from guardia.board.site_rules.terms import FirstTerms, LimitTerms, NeverTerms, OrderTerms, Scope
from guardia.org.model import Server

_RESOLVED_FOR = timedelta(minutes=10)
"""How long the place counts to which a path leads."""
_MOST = 2000
"""Past steps that are read; more than any limit permits."""


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
    completed: list[PastStep] = []
    attempted: list[PastStep] = []
    reads: list[PastStep] = []
    real: dict[str, str] = {}
    for version in rules:
        if version.rule is None:
            continue
        match version.rule.terms:
            case OrderTerms() as terms:
                since = _since(now, terms.within_hours)
                completed += _completed(session, terms.after, since, task_id)
            case FirstTerms() as terms if terms.action:
                since = _since(now, terms.within_hours)
                completed += _completed(session, server, since, task_id)
            case FirstTerms() as terms:
                since = _since(now, terms.within_hours)
                reads += _reads(session, server, terms.read, since)
            case LimitTerms() as terms:
                where = (
                    Task.target_server == server
                    if terms.per == "server"
                    else _in_scope(version.rule.scope)
                )
                attempted += _attempted(session, where, _since(now, terms.within_hours))
            case NeverTerms() as terms if terms.paths and not real:
                real = _real_paths(session, task_id, resolver, now)
            case _:
                pass
    return History(_once(completed), _once(attempted), _once(reads), real)


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
    """Drop what several rules have loaded, so that it counts once."""
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
        .where(ActionRun.intent_at > since, ActionRun.phase == "do")
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
