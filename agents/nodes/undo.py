"""Undo what was done, in reverse order, each action verified."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from langgraph.runtime import Runtime

from guardia.agents.nodes.attempt import run_once
from guardia.agents.state import AgentContext, OperateState
from guardia.board.core.claims import Claim, Grant
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
    found = undo_plan(context.board, context.gate, context.claim, state["report"])
    ending: OperateState = {
        "ending": "emergency" if found.failed else "failed",
        "report": found.text,
    }
    if found.server_left:
        ending["server_left"] = found.server_left
    return ending


@dataclass(frozen=True, slots=True)
class UndoReport:
    """How the undoing of a plan ended, in words."""

    text: str
    failed: bool
    """Whether something could not be restored."""
    server_left: Literal["unchanged", "lost"] | None
    """`lost` or `unchanged`, if that is known of the server."""


def undo_plan(board: BoardContext, gate: Gate, claim: Claim, why: str) -> UndoReport:
    """Undo what was attempted of the claimed task's plan; `why` begins the report."""
    grant = grants.execution_grant(board, claim)
    plan = view.plan_state(board, claim.task_id).plan
    assert plan is not None
    done = undo_actions(board, gate, grant, plan)
    return UndoReport(_text(why, done), bool(done.failed), _server_left(done))


def _server_left(done: UndoResult) -> Literal["unchanged", "lost"] | None:
    if done.lost:
        return "lost"
    return None if done.restored or done.failed else "unchanged"


def attempted_effects(board: BoardContext, claim: Claim) -> list[str]:
    """Name the actions of the claimed task's plan that may have changed something."""
    filed = view.plan_state(board, claim.task_id)
    if filed.plan is None or filed.plan_hash is None:
        return []
    attempts = commands.attempted_actions(board, claim, filed.plan_hash)
    return [
        a.effect
        for n, a in enumerate(filed.plan.actions)
        if commands.may_have_changed(attempts.get((n, "do")))
    ]


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
        if not commands.may_have_changed(attempts.get((ordinal, "do"))):
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
