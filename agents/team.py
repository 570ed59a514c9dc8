"""Agents at work: run one claimed task through its graph, as far as it goes in this beat."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Command

from guardia.agents import checkpoints, graph
from guardia.agents.adapters.runner import ExternalAgentRunner
from guardia.agents.brain.factory import brain_for
from guardia.agents.brain.metering import BoardMeter
from guardia.agents.brain.triage.classify import relevant_text
from guardia.agents.nodes import undo
from guardia.agents.nodes.dispatch import reassign
from guardia.agents.nodes.goal import GoalContext
from guardia.agents.prechecks import run_prechecks, unread_prechecks
from guardia.agents.state import AgentContext, PassageFinder
from guardia.board.control import plan_checks, rollback
from guardia.board.control.rollback import RollbackClaim
from guardia.board.core.claims import Claim, GoalClaim
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.execution import grants, tasks, view
from guardia.board.execution.view import TaskView
from guardia.board.goals import planning
from guardia.board.organization import agent_memory
from guardia.board.organization.agent_memory import Notebook
from guardia.db.engine import OUTAGE_ERRORS
from guardia.errors import Forged, GuardiaError, Misconfigured, Stale
from guardia.i18n import t
from guardia.knowledge.library import Library
from guardia.org.chart_model import AgentEntry
from guardia.tools.gate import Gate

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkResult:
    """How far a task went in one beat."""

    outcome: str
    steps: int


class Team:
    """Everything that agents need, shared by the beats of one process."""

    def __init__(
        self,
        board: BoardContext,
        gate: Gate,
        library: Library,
        checkpointer: BaseCheckpointSaver[Any],
        closing: Callable[[], bool] = lambda: False,
        runner: ExternalAgentRunner | None = None,
        *,
        find_passages: PassageFinder | None = None,
        reviewed: Callable[[], Library] | None = None,
    ) -> None:
        """`closing` reports that this process is to end: a task then pauses after its next step.

        `reviewed` returns the runbooks as people have edited and published them.
        """
        self._board = board
        self._gate = gate
        self._current_library = reviewed or (lambda: library)
        self._closing = closing
        self._runner = runner
        self._find_passages = find_passages
        self._operate = graph.operate_graph(checkpointer)
        self._dispatch = graph.dispatch_graph()
        self._plan_goal = graph.goal_graph()
        self._execute = graph.execution_graph()

    def work(self, agent: AgentEntry, claim: Claim) -> WorkResult:
        """Run the next steps of a task. Every failure is handed to people, none passes silently."""
        context = AgentContext(
            board=self._board,
            gate=self._gate,
            library=self._current_library(),
            brain=brain_for(agent.brain, agent.role, meter=BoardMeter(self._board, claim)),
            claim=claim,
            skills=agent.skills,
            notebook=agent_memory.recall(self._board, claim)
            if agent.duty == "operate"
            else Notebook(),
            find_passages=self._find_passages,
        )
        run = self._run_dispatch if agent.duty == "dispatch" else self._run_operate
        try:
            task = view.task(self._board, claim.task_id)
            if task.has_manual_plan:
                return self._run_manual_plan(context)
            if agent.adapter is not None:
                return self._run_external(context, agent)
            with checkpoints.fenced_by(claim):
                return run(context, task)
        except Stale:
            # A person or another worker has decided otherwise; their decision takes precedence. If
            # it came after the end of this run, the end counts as well.
            return WorkResult(context.final_states[0].value if context.final_states else "stale", 0)
        except OUTAGE_ERRORS:
            # Nothing can be written now; the beat is repeated once the database is back.
            raise
        except Exception as error:
            if not isinstance(error, GuardiaError):
                log.exception("agent %s failed on task %s", agent.id, claim.task_id)
            return self._settle(claim, error)

    def pursue(self, agent: AgentEntry, claim: GoalClaim) -> WorkResult:
        """Break a goal down and file its plan; failures are reported on the goal."""
        meter = BoardMeter(self._board, claim)
        context = GoalContext(self._board, brain_for(agent.brain, agent.role, meter=meter), claim)
        try:
            self._plan_goal.invoke({}, context=context)
        except Stale:
            return WorkResult("stale", 0)
        except OUTAGE_ERRORS:
            raise
        except Exception as error:
            log.exception("agent %s failed on goal %s", agent.id, claim.sr_id)
            return self._ask_back(claim, _reason(error))
        return WorkResult("goal", 3)

    def _ask_back(self, claim: GoalClaim, why: str) -> WorkResult:
        try:
            planning.ask_people(self._board, claim, why)
        except Stale:
            return WorkResult("stale", 0)
        return WorkResult("goal_asked", 0)

    def execute_rollback(self, rollback_claim: RollbackClaim) -> WorkResult:
        """Undo a task by directive; what cannot be undone goes to people with an alert."""
        try:
            found = rollback.grant_rollback(self._board, rollback_claim)
            done = undo.undo_actions(self._board, self._gate, found.grant, found.plan, found.kept)
            rollback.finish_rollback(
                self._board, rollback_claim, done.restored, done.failed, found.kept
            )
        except Stale:
            return WorkResult("stale", 0)
        except OUTAGE_ERRORS:
            raise
        except Exception as error:
            log.exception(
                "directive %s failed on task %s",
                rollback_claim.directive_id,
                rollback_claim.claim.task_id,
            )
            known = isinstance(error, GuardiaError)
            why = str(error) if known else t("agents.internal", kind=type(error).__name__)
            rollback.finish_rollback(self._board, rollback_claim, [], [why])
            return WorkResult("not_restored", 1)
        return WorkResult("not_restored" if done.failed else "restored", 1)

    def _settle(self, claim: Claim, stopped_by: Exception) -> WorkResult:
        """End a task that an error stopped: undo what it may have changed, or name it to people."""
        why, effects = _reason(stopped_by), list[str]()
        if isinstance(stopped_by, Forged):
            return self._hand_over(claim, why, alert=True)
        try:
            effects = undo.attempted_effects(self._board, claim)
            if not effects or view.task(self._board, claim.task_id).state is not State.IN_PROGRESS:
                return self._hand_over(claim, why)
            report = undo.undo_plan(self._board, self._gate, claim, why)
            if not report.failed:
                tasks.fail(self._board, claim, report.text)
                return WorkResult(State.FAILED_ROLLBACK.value, 0)
            return self._hand_over(claim, report.text, alert=True)
        except Stale:
            return WorkResult("stale", 0)
        except OUTAGE_ERRORS:
            raise
        except Exception as error:
            log.exception("task %s: what was changed could not be undone", claim.task_id)
            changes = "\n".join(f"- {effect}" for effect in effects)
            text = t("agents.may_have_changed", why=why, undo=_reason(error), changes=changes)
            return self._hand_over(claim, text, alert=True)

    def check_plan(self, claim: Claim) -> WorkResult:
        """Run the pre-checks of a plan that a person wrote, so that approvers see what fails."""
        filed = view.plan_state(self._board, claim.task_id)
        assert filed.plan is not None and filed.plan_hash is not None
        try:
            grant = grants.grant_reads(self._board, claim)
            results = run_prechecks(self._gate, grant, filed.plan)
        except Stale:
            return WorkResult("stale", 0)
        except OUTAGE_ERRORS:
            raise
        except Exception as error:
            # Not repeated: approvers read that the server could not be read.
            log.exception("pre-checks failed on task %s", claim.task_id)
            results = unread_prechecks(filed.plan, _reason(error))
        try:
            plan_checks.record_checks(self._board, claim, filed.plan_hash, results)
        except Stale:
            return WorkResult("stale", 0)
        return WorkResult(view.task(self._board, claim.task_id).state.value, 1)

    def _hand_over(self, claim: Claim, why: str, *, alert: bool = False) -> WorkResult:
        try:
            tasks.hand_over(self._board, claim, why, emergency=alert)
        except Stale:
            return WorkResult("stale", 0)
        return WorkResult("manual", 0)

    def _run_dispatch(self, context: AgentContext, task: TaskView) -> WorkResult:
        if task.state is not State.RECEIVED:
            return WorkResult("delegated" if reassign(context) else "manual", 1)
        known = {"category": task.category, "priority": task.priority, "talk": task.talk}
        known["answered"] = task.answered
        request = {"text": task.request, "given": task.given, **known}
        self._dispatch.invoke(request, context=context)
        return WorkResult("delegated", 2)

    def _run_manual_plan(self, context: AgentContext) -> WorkResult:
        """Carry out a plan that a person has written and people have approved."""
        self._execute.invoke({}, context=context)
        return WorkResult(view.task(self._board, context.claim.task_id).state.value, 3)

    def _run_external(self, context: AgentContext, agent: AgentEntry) -> WorkResult:
        if self._runner is None:
            raise Misconfigured(what=agent.id, why=t("agents.outside.no_employer"))
        if not self._runner.work(context, agent, self._closing):
            return WorkResult("handed_back", 1)
        return WorkResult(view.task(self._board, context.claim.task_id).state.value, 1)

    def _run_operate(self, context: AgentContext, task: TaskView) -> WorkResult:
        task_id = context.claim.task_id
        thread = f"task-{task_id}-{task.attempt}" if task.attempt else f"task-{task_id}"
        config = {"configurable": {"thread_id": thread}}
        steps = 0
        update: Any = self._next_input(config, task_id)
        while update is not _NO_INPUT:
            for _ in self._operate.stream(
                update, config, context=context, stream_mode="updates", durability="sync"
            ):
                steps += 1
                if self._closing():
                    return WorkResult("handed_back", steps)
            update = self._next_input(config, task_id)
        return WorkResult(view.task(self._board, task_id).state.value, steps)

    def _next_input(self, config: dict[str, Any], task_id: int) -> Any:
        """Return what continues the thread: a start, a resume, `None` after a crash, `_NO_INPUT`.

        The board decides: a suspended graph is resumed only if the task is approved or people have
        returned its plan.
        """
        snapshot = self._operate.get_state(config)
        task = view.task(self._board, task_id)
        if not snapshot.values:
            return {"text": relevant_text(task.request)}
        if not snapshot.next:
            # A finished step whose checkpoint was lost with its worker is not next, but still
            # listed.
            return None if snapshot.tasks else _NO_INPUT
        if snapshot.interrupts:
            if task.state is State.PARSED:
                wanted = view.guidance(self._board, task_id).requests
                return Command(resume=wanted[-1] if wanted else "")
            return Command(resume=True) if task.state is State.APPROVED else _NO_INPUT
        return None


_NO_INPUT = object()


def _reason(error: Exception) -> str:
    """Return why an error stopped the agent; internal errors only by their kind."""
    known = isinstance(error, GuardiaError)
    return str(error) if known else t("agents.internal", kind=type(error).__name__)
