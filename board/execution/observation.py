"""Plans of agents that may only observe: kept and logged, never carried out or approved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.approvals import requests
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core import plan_versions
from guardia.board.core.actors import Actor
from guardia.board.core.labels import log_label
from guardia.board.core.lifecycle import ActorKind, Move
from guardia.board.core.lookup import get_issue
from guardia.board.core.model import Comment, Task
from guardia.board.core.outbox import reply_to_room
from guardia.board.core.plan import Plan
from guardia.board.core.transitions import move_task
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.execution.plan_history import PreCheckResult
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org import registry, revisions
from guardia.org.autonomy import AutonomyMode, autonomy_mode


def mode_of(session: Session, task: Task, category: str) -> AutonomyMode:
    """Return the running chart's mode for an agent's plan of a category on a task's server.

    If the issue and the server belong to different institutions, the more cautious mode counts.
    """
    server = registry.institution_of(session, task.target_server)
    concerned = {server, get_issue(session, task.sr_id).inst_id or server}
    return autonomy_mode(revisions.running_chart(session).autonomy, concerned, category)


def require_not_observed(session: Session, task: Task, category: str) -> None:
    """Raise `Refused` if the chart lets agents only observe work of this category by now."""
    if mode_of(session, task, category) is AutonomyMode.OBSERVE:
        raise Refused(why=t("board.only_observed", category=category))


def keep_observed(
    session: Session,
    task: Task,
    plan: Plan,
    bound: str,
    author: Actor,
    now: datetime,
    checks: Sequence[PreCheckResult] | None,
) -> None:
    """Keep what an agent would have done and hand its task over to people (MANUAL)."""
    body = plan.model_dump(mode="json")
    requests.void(session, task)
    move_task(
        session,
        task,
        Move.HAND_OVER,
        actor=ActorKind.AGENT,
        now=now,
        plan=body,
        plan_hash=bound,
        plan_author=str(author),
        category=plan.category,
        run_after=None,
        run_id=None,
    )
    results = None if checks is None else [asdict(result) for result in checks]
    version = plan_versions.add_version(session, task, plan, bound, author, now, checks=results)
    actions = " ".join(action.effect for action in plan.actions) or t("board.observed_nothing")
    text = t("board.observed", because=plan.because, actions=actions)
    session.add(Comment(sr_id=task.sr_id, author=str(author), body=text, created_at=now))
    issue = get_issue(session, task.sr_id)
    reply_to_room(session, issue, t("board.handed_over", sr=task.sr_id, text=text), now, public="")
    for auditor in registry.auditors(session):
        cause = {"task": task.task_id, "move": Move.HAND_OVER.value}
        wake(session, auditor, WakeReason.FINISHED, now, task.sr_id, cause=cause)
    log.append(
        session,
        EntryKind.OBSERVED,
        actor=str(author),
        now=now,
        sr_id=task.sr_id,
        task_id=task.task_id,
        detail={
            "plan": body,
            "plan_hash": bound,
            "number": version.number,
            "checks": results,
            "institution": registry.institution_of(session, task.target_server),
            "category": plan.category,
            "text": text,
        },
        number=version.number,
        actions=len(plan.actions),
        category=log_label("web.policy", plan.category),
        hash=bound[:12],
    )
