"""One waking of one agent: take the reasons, claim, do the next steps, let go.

Light to import: the team, and with it everything that thinks, is made by the first beat that has
something to do.
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
    closing: Callable[[], bool] = lambda: False,
    yielding: Callable[[], bool] = lambda: False,
    grace: float = GRACE,
) -> str | None:
    """Run one beat; ``None`` where there was no reason for one. Idle is one short transaction.

    ``attempt`` is the worker's turn at this agent's beats, which it may lose; once ``closing``, the
    beat begins nothing more and what is left goes to another worker; while ``yielding``, it does so
    after one task. A beat that takes longer than
    its entry allows is ended: it loses its hold, and ``grace`` seconds later its thread.
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
            lambda: _run_duty(board, team, run_context, closing, yielding),
            lambda: timeouts.expire_run(board, run_context),
            grace=grace,
        )
    except BeatAbandoned:
        return "timeout"
    except OUTAGE_ERRORS:
        # Not closed: the next beat finds it lost, and takes its reasons and its task again.
        raise
    except Exception:
        beats.end(board, run_context, outcome, task_id=task_id, steps=steps)
        raise
    beats.end(board, run_context, outcome, task_id=task_id, steps=steps)
    if closing():
        beats.requeue(board, agent_id)
    return outcome


def _run_duty(
    board: BoardContext,
    team: Callable[[], Team],
    run_context: RunContext,
    closing: Callable[[], bool],
    yielding: Callable[[], bool],
) -> tuple[str, int | None, int]:
    if run_context.entry.duty == "audit":
        return _run_audit(board, run_context), None, 0
    return _run_tasks(board, team, run_context, closing, yielding)


def _run_tasks(
    board: BoardContext,
    team: Callable[[], Team],
    run_context: RunContext,
    closing: Callable[[], bool],
    yielding: Callable[[], bool],
) -> tuple[str, int | None, int]:
    """All tasks that wait for this agent, each at most once a beat: first what people have
    ordered to be undone, then the most urgent; at last what became of goals."""
    outcome, last, steps = "idle", None, 0
    entry, has_rollback = run_context.entry, run_context.has_rollback
    head = entry.duty == "dispatch"
    seen: frozenset[int] = frozenset()
    planned: frozenset[int] = frozenset()
    rolled_back: frozenset[int] = frozenset()
    while not closing():
        if last and yielding():
            beats.requeue(board, run_context.agent_id)
            break
        rollback_claim = (
            rollback.claim_rollback(board, run_context, rolled_back) if has_rollback else None
        )
        has_rollback = True  # people may order something while it works
        if rollback_claim is not None:
            claim, done = rollback_claim.claim, team().execute_rollback(rollback_claim)
            rolled_back |= {claim.task_id}
        elif (found := beats.claim_task(board, run_context, seen)) is not None:
            claim, done = found, team().work(entry, found)
            seen |= {claim.task_id}
        elif head and (goal := planning.claim_goal(board, run_context, planned)) is not None:
            done = team().pursue(entry, goal)
            planned |= {goal.sr_id}
            outcome, steps = done.outcome, steps + done.steps
            continue
        else:
            if head:
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
