"""File plans that one approval covers together: the root plan, and each plan that it names."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.approvals import requests, start_time
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core import bundle, plan_versions
from guardia.board.core.actors import Actor
from guardia.board.core.labels import log_label
from guardia.board.core.lifecycle import Move
from guardia.board.core.lookup import get_issue
from guardia.board.core.model import Issue, Task
from guardia.board.core.plan import Plan
from guardia.board.core.transitions import move_task
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.execution import root_plans, tasks
from guardia.errors import Refused
from guardia.i18n import t


def store_root(
    session: Session, issue: Issue, task: Task, plan: Plan, author: Actor, now: datetime
) -> bool:
    """File a root plan and request its approvals; return whether policy asks for none.

    The plans that it names must all have an undo: the chain is that of reversible work.
    """
    policy = requests.required_policy(session, plan)
    move = Move.ASK if policy.steps else Move.WAIVE
    bound = _take_plan(session, task, move, plan, author, now)
    version = plan_versions.add_version(session, task, plan, bound, author, now)
    if not policy.steps:
        task.run_after = start_time.approved_start(session, issue, task, (), now)
    requests.request_approvals(session, issue, task, bound, policy, now)
    log.append(
        session,
        EntryKind.PLANNED if policy.steps else EntryKind.WAIVED,
        actor=str(author),
        now=now,
        sr_id=task.sr_id,
        task_id=task.task_id,
        detail={
            "plan": task.plan,
            "plan_hash": bound,
            "roles": [s.role for s in policy.steps],
            "quorums": [s.quorum for s in policy.steps],
            "requester": issue.requester_id,
            **({"signature": policy.signature} if policy.signature and policy.steps else {}),
            "number": version.number,
        },
        number=version.number,
        actions=0,
        category=log_label("web.policy", plan.category),
        hash=bound[:12],
    )
    return not policy.steps


def store_bundled(
    session: Session, root: Task, task: Task, plan: Plan, author: Actor, now: datetime
) -> None:
    """File a plan that an approved root plan names, and wake its agent.

    Raises `Refused` unless it names exactly this plan. Each change proves the approvals again.
    """
    if plan.server != task.target_server:
        raise Refused(why=t("board.other_server", server=plan.server))
    if root.status not in root_plans.APPROVED or not bundle.lists(tasks.stored_plan(root), plan):
        raise Refused(why=t("board.not_approved"))
    tasks.require_permitted(session, task, plan, author)
    bound = _take_plan(session, task, Move.WAIVE, plan, author, now)
    version = plan_versions.add_version(session, task, plan, bound, author, now)
    version.checks_due = False
    if task.agent_id:
        wake(session, task.agent_id, WakeReason.DIRECTIVE, now, task.sr_id, by=author)
    log.append(
        session,
        EntryKind.BUNDLED,
        actor=str(author),
        now=now,
        sr_id=task.sr_id,
        task_id=task.task_id,
        detail={
            "plan": task.plan,
            "plan_hash": bound,
            "root": root.task_id,
            "root_hash": root.plan_hash,
            "requester": get_issue(session, task.sr_id).requester_id,
            "number": version.number,
        },
        server=plan.server,
        actions=len(plan.actions),
        category=log_label("web.policy", plan.category),
        hash=bound[:12],
    )


def _take_plan(
    session: Session, task: Task, move: Move, plan: Plan, author: Actor, now: datetime
) -> str:
    """Move a task with its new plan; return the hash of the plan."""
    bound = tasks.plan_hash(task.task_id, plan, task.attempt)
    requests.void(session, task)
    move_task(
        session,
        task,
        move,
        actor=author.kind,
        now=now,
        plan=plan.model_dump(mode="json"),
        plan_hash=bound,
        plan_author=str(author),
        category=plan.category,
        run_after=None,
    )
    return bound
