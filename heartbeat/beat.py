"""One beat of one agent: collect wake reasons, claim tasks, carry out the next steps, end the run.

Light to import: the team, and with it models and graphs, is created by the first beat that has
work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guardia.board.control import plan_checks, rollback
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim
from guardia.board.core.context import BoardContext
from guardia.board.goals import planning, review
from guardia.board.integrity import daily_report
from guardia.board.runs import beats, timeouts
from guardia.board.runs.beats import RunContext
from guardia.db.engine import OUTAGE_ERRORS
from guardia.db.jobs import JobAttempt
from guardia.heartbeat.lanes import Lanes
from guardia.heartbeat.timeout import GRACE, BeatAbandoned, run_with_timeout
from guardia.org.chart_model import AgentEntry

if TYPE_CHECKING:
    from guardia.agents.team import Team, WorkResult

log = logging.getLogger(__name__)

IDLE = "idle"
"""Outcome of a beat that found nothing to do."""


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
        return IDLE
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
    """Work on all tasks that wait for this agent; the dispatcher reviews goals last."""
    summary = _Summary(run_context.agent_id)
    lanes: Lanes[WorkResult] = Lanes()
    with lanes:
        work = _BeatWork(
            board, team, run_context, run_context.has_rollback, run_context.has_checks, lanes
        )
        while not is_closing():
            if summary.last and should_yield():
                beats.requeue(board, run_context.agent_id)
                break
            if (handled := work.handle_next()) is not None:
                summary.add(*handled)
            elif (ended := lanes.next_result()) is not None:
                summary.add(*ended)
            else:
                if work.is_dispatcher:
                    review.review_goals(board, run_context.agent_id)
                break
        while (left := lanes.next_result()) is not None:
            summary.add(*left)
    return summary.outcome, summary.last, summary.steps


@dataclass
class _Summary:
    """What a beat has done."""

    agent_id: str
    outcome: str = IDLE
    last: int | None = None
    steps: int = 0

    def add(self, task_id: int | None, done: WorkResult | None) -> None:
        """Count a task or, without a number, a goal; without a result it still runs."""
        if task_id is not None:
            self.last = task_id
        if done is not None:
            log.info("%s task %s: %s", self.agent_id, task_id, done.outcome)
            self.outcome, self.steps = done.outcome, self.steps + done.steps


@dataclass
class _BeatWork:
    """Work of one beat, each task and goal at most once."""

    board: BoardContext
    team: Callable[[], Team]
    run_context: RunContext
    has_rollback: bool
    has_checks: bool
    lanes: Lanes[WorkResult]
    rolled_back: frozenset[int] = frozenset()
    checked: frozenset[int] = frozenset()
    worked: frozenset[int] = frozenset()
    planned: frozenset[int] = frozenset()

    @property
    def is_dispatcher(self) -> bool:
        return self.run_context.entry.duty == "dispatch"

    def handle_next(self) -> tuple[int | None, WorkResult | None] | None:
        """Do the next piece of work; return its task, `None` for a goal, and its result.

        A task that takes long goes on beside the beat, and has no result yet.

        Rollbacks that people ordered come first, then pre-checks of plans that people wrote, the
        most urgent task, and goals. Returns `None` if nothing waits.
        """
        board, run_context, entry = self.board, self.run_context, self.run_context.entry
        if self.has_rollback:
            rollback_claim = rollback.claim_rollback(
                board, run_context, self.rolled_back, self.lanes.tasks
            )
            if rollback_claim is not None:
                task_id = rollback_claim.claim.task_id
                done = self.team().execute_rollback(rollback_claim)
                self.rolled_back |= {task_id}
                return task_id, done
        self.has_rollback = True  # people may order one while the beat runs
        if self.has_checks:
            check_claim = plan_checks.claim_check(
                board, run_context, self.checked, self.lanes.tasks
            )
            if check_claim is not None:
                done = self.team().check_plan(check_claim)
                self.checked |= {check_claim.task_id}
                return check_claim.task_id, done
        claim = beats.claim_task(board, run_context, self.worked, self.lanes.tasks)
        if claim is not None:
            self.worked |= {claim.task_id}
            return claim.task_id, self._work(entry, claim)
        if not self.is_dispatcher:
            return None
        if (goal := planning.claim_goal(board, run_context, self.planned)) is None:
            return None
        done = self.team().pursue(entry, goal)
        self.planned |= {goal.sr_id}
        return None, done

    def _work(self, entry: AgentEntry, claim: Claim) -> WorkResult | None:
        """Work on a task, beside others if it takes long and acts on a server."""
        team = self.team()
        if entry.duty != "operate" or entry.adapter is not None:
            return team.work(entry, claim)
        return self.lanes.start(claim.task_id, lambda: team.work(entry, claim))


def _run_audit(board: BoardContext, run_context: RunContext) -> str:
    issue = run_context.issues[-1] if run_context.issues else None
    daily = daily_report.DAILY in run_context.reasons
    found = daily_report.verify_and_log(
        board, Actor.agent(run_context.agent_id), issue, daily=daily
    )
    return "intact" if found.intact else "broken"
