"""Undo what was done, in reverse order, each action verified."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from langgraph.runtime import Runtime

from guardia.agents.nodes.attempt import run_once
from guardia.agents.state import AgentContext, OperateState
from guardia.board.core.claims import Grant
from guardia.board.core.context import BoardContext
from guardia.board.core.plan import Action, Plan
from guardia.board.execution import commands, grants, view
from guardia.board.execution.commands import PlanStep
from guardia.errors import Refused, Unreachable
from guardia.i18n import t
from guardia.tools.gate import ActionReport, ActionStatus, Gate


@dataclass(slots=True)
class UndoResult:
    """What was restored and what was not: one line each."""

    restored: list[str]
    failed: list[str]
    lost: bool = False
    """Whether an undo failed because the server cannot be reached: its state is unknown."""


def undo(state: OperateState, runtime: Runtime[AgentContext]) -> OperateState:
    """Undo the plan: FAILED_ROLLBACK if all is restored, people and an alert if not."""
    context = runtime.context
    grant = grants.execution_grant(context.board, context.claim)
    plan = view.plan_state(context.board, context.claim.task_id).plan
    assert plan is not None
    done = undo_actions(context.board, context.gate, grant, plan)
    found: OperateState = {
        "ending": "emergency" if done.failed else "failed",
        "report": _text(state["report"], done),
    }
    if done.lost or not (done.restored or done.failed):
        found["server_left"] = "lost" if done.lost else "unchanged"
    return found


def undo_actions(
    board: BoardContext, gate: Gate, grant: Grant, plan: Plan, kept: int = 0
) -> UndoResult:
    """Undo the attempted actions of a plan, newest first; never the same one twice.

    The first `kept` actions stay, and are verified to still hold.
    """
    assert grant.plan_hash is not None
    attempts = commands.attempted_actions(board, grant.claim, grant.plan_hash)
    done = UndoResult([], [])
    for ordinal in range(len(plan.actions) - 1, kept - 1, -1):
        if (ordinal, "do") not in attempts:
            continue
        action = plan.actions[ordinal]
        report = _undo_attempted(board, gate, grant, ordinal, action, attempts)
        done.lost = done.lost or report.lost
        (done.restored if report.result is ActionStatus.DONE else done.failed).append(
            _line(action, report)
        )
    for action in plan.actions[:kept]:
        if failed := gate.first_failed(grant, action.verify):
            why = t("gate.verify", check=failed)
            done.failed.append(_line(action, ActionReport(ActionStatus.FAILED, why)))
    return done


def _undo_attempted(
    board: BoardContext,
    gate: Gate,
    grant: Grant,
    ordinal: int,
    action: Action,
    attempts: dict[tuple[int, str], str],
) -> ActionReport:
    """Undo and verify one action; an obstacle becomes a line for people."""
    do, before = attempts[ordinal, "do"], attempts.get((ordinal, "undo"))
    try:
        if do == "INTENT" and before != "DONE":
            gate.ensure_stopped(grant, PlanStep(ordinal, "do"))
        return run_once(
            board,
            gate,
            grant,
            PlanStep(ordinal, "undo"),
            before,
            proof=action.undo_verify,
            run=partial(_undo, gate, grant, ordinal, action, completed=do == "DONE"),
        )
    except (Refused, Unreachable) as error:
        return ActionReport(ActionStatus.FAILED, str(error), isinstance(error, Unreachable))


def _undo(
    gate: Gate, grant: Grant, ordinal: int, action: Action, *, completed: bool
) -> ActionReport:
    """Undo an action; `completed` says that it is known to have finished."""
    if not completed and _had_no_effect(gate, grant, action):
        return ActionReport(ActionStatus.DONE, t("agents.had_no_effect"))
    return gate.undo(grant, ordinal, action)


def _had_no_effect(gate: Gate, grant: Grant, action: Action) -> bool:
    """Return whether a look at the server shows that an unfinished action has changed nothing.

    For an action without undo, its prechecks: the server is still as it was before.
    """
    proof = action.precheck if action.undo is None else action.undo_verify
    checks = tuple(check.model_copy(update={"within": 0}) for check in proof)
    return bool(checks) and gate.first_failed(grant, checks) is None


def _line(action: Action, report: ActionReport) -> str:
    return f"- {action.effect}" + (f" ({report.why})" if report.why else "")


def _text(why: str, done: UndoResult) -> str:
    parts = [why]
    if done.restored:
        parts += [t("agents.restored"), *done.restored]
    if done.failed:
        parts += [t("agents.not_restored"), *done.failed]
    return "\n".join(parts)
