"""Why an approved plan cannot start now: its time, or another change of its server."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.approvals import start_time
from guardia.board.approvals.policy import StepDecision
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core import server_queue
from guardia.board.core.claims import Claim
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lookup import get_issue, get_task
from guardia.board.core.model import Task
from guardia.board.core.plan import Plan
from guardia.board.core.planner import Planner
from guardia.board.execution import rule_check
from guardia.errors import RuleBroken, ServerBusy, Stale


def find_delay(
    session: Session,
    planner: Planner,
    task: Task,
    claim: Claim,
    plan: Plan,
    decisions: Collection[StepDecision],
    now: datetime,
) -> Stale | None:
    """Return why a plan cannot start now, or `None` if it can; the task then waits.

    `decisions` are those that approved it. Raises `RuleBroken` if a rule of the site forbids it
    however long it waits.
    """
    issue = get_issue(session, task.sr_id)
    start = start_time.approved_start(session, issue, task, decisions, now)
    if start is None:
        start = _permitted_start(session, planner, task, plan, now)
    if start != task.run_after:
        task.run_after = start
    if start is not None:
        server_queue.leave(session, task, now)
        return Stale(what=issue.ref)
    if not plan.actions:
        return None
    holder_id, before = server_queue.enter(session, task, now)
    if holder_id is None:
        return None
    holder = issue_ref(get_task(session, holder_id).sr_id)
    if before != holder_id:
        log.append(
            session,
            EntryKind.SERVER_WAITED,
            actor=str(claim.actor),
            now=now,
            sr_id=claim.sr_id,
            task_id=claim.task_id,
            detail={"server": plan.server, "holder": holder_id},
            server=plan.server,
            holder=holder,
        )
    return ServerBusy(what=holder)


def _permitted_start(
    session: Session, planner: Planner, task: Task, plan: Plan, now: datetime
) -> datetime | None:
    """Return when the rules of the site permit the plan, or `None` if they do now."""
    found = rule_check.schedule(session, planner, task, plan, now)
    if found.start is None:
        raise RuleBroken(why="\n".join(found.ruling.sentences))
    return found.start if found.start > now else None
