"""One beat of one agent: collect wake reasons, claim tasks, carry out the next steps, end the run.

Light to import: the team, and with it models and graphs, is created by the first beat that has
work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from guardia.board.control import rollback
from guardia.board.core.context import BoardContext
from guardia.board.goals import planning, review
from guardia.board.integrity import daily_report
from guardia.board.runs import beats, timeouts
from guardia.board.runs.beats import RunContext
from guardia.db.engine import OUTAGE_ERRORS
from guardia.db.jobs import JobAttempt
from guardia.heartbeat.timeout import GRACE, BeatAbandoned, run_with_timeout

if TYPE_CHECKING:
    from guardia.agents.team import Team

log = logging.getLogger(__name__)


def beat(
    board: BoardContext,
    team: Callable[[], Team],
    agent_id: str,
    *,
    attempt: JobAttempt | None = None,
    is_closing: Callable[[], bool] = lambda: False,
    should_yield: Callable[[], bool] = lambda: False,
    grace: float = GRACE,
) -> str | None:
    """Run one beat and return its outcome, or `None` if there was no reason for one.

    An idle beat is one short transaction. `attempt` is the worker's attempt at this agent's job,
    which it may lose. Once `is_closing`, the beat starts nothing new and leaves its remaining work
    to another worker; if `should_yield`, it does so after one task. A beat that exceeds its time
    limit loses its claims, and after `grace` more seconds its thread is abandoned.
    """
    run_context = beats.begin(board, agent_id, attempt)
    if run_context is None:
        return None
    if not run_context.has_work:
        return "idle"
    limit = run_context.entry.heartbeat.beat_timeout
    outcome, task_id, steps = "error", None, 0
    try:
        outcome, task_id, steps = run_with_timeout(
            limit.total_seconds(),
            lambda: _run_duty(board, team, run_context, is_closing, should_yield),
            lambda: timeouts.expire_run(board, run_context),
            grace=grace,
        )
    except BeatAbandoned:
        return "timeout"
    except OUTAGE_ERRORS:
        # The run stays open: the next beat finds it lost and takes over its reasons and task.
        raise
    except Exception:
        beats.end(board, run_context, outcome, task_id=task_id, steps=steps)
        raise
    beats.end(board, run_context, outcome, task_id=task_id, steps=steps)
    if is_closing():
        beats.requeue(board, agent_id)
    return outcome


def _run_duty(
    board: BoardContext,
    team: Callable[[], Team],
    run_context: RunContext,
    is_closing: Callable[[], bool],
    should_yield: Callable[[], bool],
) -> tuple[str, int | None, int]:
    if run_context.entry.duty == "audit":
        return _run_audit(board, run_context), None, 0
    return _run_tasks(board, team, run_context, is_closing, should_yield)


def _run_tasks(
    board: BoardContext,
    team: Callable[[], Team],
    run_context: RunContext,
    is_closing: Callable[[], bool],
    should_yield: Callable[[], bool],
) -> tuple[str, int | None, int]:
    """Work on all tasks that wait for this agent, each at most once per beat.

    Rollbacks that people ordered come first, then the most urgent task; the dispatcher plans and
    reviews goals last.
    """
    outcome, last, steps = "idle", None, 0
    entry, has_rollback = run_context.entry, run_context.has_rollback
    is_dispatcher = entry.duty == "dispatch"
    seen: frozenset[int] = frozenset()
    planned: frozenset[int] = frozenset()
    rolled_back: frozenset[int] = frozenset()
    while not is_closing():
        if last and should_yield():
            beats.requeue(board, run_context.agent_id)
            break
        rollback_claim = (
            rollback.claim_rollback(board, run_context, rolled_back) if has_rollback else None
        )
        has_rollback = True  # people may order one while the beat runs
        if rollback_claim is not None:
            claim, done = rollback_claim.claim, team().execute_rollback(rollback_claim)
            rolled_back |= {claim.task_id}
        elif (found := beats.claim_task(board, run_context, seen)) is not None:
            claim, done = found, team().work(entry, found)
            seen |= {claim.task_id}
        elif (
            is_dispatcher and (goal := planning.claim_goal(board, run_context, planned)) is not None
        ):
            done = team().pursue(entry, goal)
            planned |= {goal.sr_id}
            outcome, steps = done.outcome, steps + done.steps
            continue
        else:
            if is_dispatcher:
                review.review_goals(board, run_context.agent_id)
            break
        log.info("%s task %s: %s", run_context.agent_id, claim.task_id, done.outcome)
        outcome, last, steps = done.outcome, claim.task_id, steps + done.steps
    return outcome, last, steps


def _run_audit(board: BoardContext, run_context: RunContext) -> str:
    issue = run_context.issues[-1] if run_context.issues else None
    daily = daily_report.DAILY in run_context.reasons
    found = daily_report.verify_and_log(board, f"agent:{run_context.agent_id}", issue, daily=daily)
    return "intact" if found.intact else "broken"
