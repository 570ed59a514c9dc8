"""Pre-checks of people's plans: an agent reads the server, before anybody approves.

An agent runs those of its own plan before it files it; a plan that a person wrote waits for its
agent's next beat, which runs them under a grant for reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import select

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core import plan_versions
from guardia.board.core.claims import Claim, claimed_task
from guardia.board.core.context import BoardContext
from guardia.board.core.kill_switch import kill_switch_is_on
from guardia.board.core.model import Task
from guardia.board.execution.plan_history import PreCheckResult
from guardia.board.runs.beats import RunContext, is_active, is_current, release_tasks
from guardia.board.runs.claiming import CHECK_TASKS
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Stale


@repeat_on_conflict
def claim_check(
    board: BoardContext,
    run_context: RunContext,
    done: frozenset[int] = frozenset(),
    beside: frozenset[int] = frozenset(),
) -> Claim | None:
    """Claim a waiting plan of this agent whose pre-checks are due, or return `None`.

    The beat keeps its claims on the tasks `beside`, which still run.
    """
    with board.database.transaction() as session:
        if (
            kill_switch_is_on(session)
            or not is_current(session, run_context)
            or not is_active(session, run_context)
        ):
            return None
        release_tasks(session, run_context, beside)
        task = session.scalar(
            select(Task)
            .where(
                Task.agent_id == run_context.agent_id,
                Task.task_id.in_(CHECK_TASKS),
                Task.task_id.not_in(done),
            )
            .order_by(Task.task_id)
            .limit(1)
            .with_for_update(of=Task, key_share=True)
        )
        if task is None:
            return None
        task.fence += 1
        task.run_id = run_context.run_id
        return Claim(task.task_id, task.sr_id, run_context.agent_id, run_context.run_id, task.fence)


@repeat_on_conflict
def record_checks(
    board: BoardContext, claim: Claim, plan_hash: str, results: Sequence[PreCheckResult]
) -> None:
    """Keep the results with the plan. Raises `Stale` if it is no longer the task's plan."""
    now, stored = board.clock(), [asdict(result) for result in results]
    with board.database.transaction() as session:
        task = claimed_task(session, claim)
        version = plan_versions.latest(session, task)
        if version is None or version.plan_hash != plan_hash or task.plan_hash != plan_hash:
            raise Stale(what=f"task {claim.task_id}")
        version.checks, version.checks_due = stored, False
        session.flush()
        log.append(
            session,
            EntryKind.PLAN_CHECKED,
            actor=str(claim.actor),
            now=now,
            sr_id=claim.sr_id,
            task_id=claim.task_id,
            detail={"plan_hash": plan_hash, "checks": stored},
            total=len(stored),
            failed=sum(result.holds is False for result in results),
        )
