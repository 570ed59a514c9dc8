"""Run a step of a plan at most once, even if an earlier run died in the middle of it."""

from __future__ import annotations

from collections.abc import Callable

from guardia.board.core.claims import Grant
from guardia.board.core.context import BoardContext
from guardia.board.core.plan import Check
from guardia.board.execution import commands
from guardia.board.execution.commands import PlanStep
from guardia.i18n import t
from guardia.tools.gate import ActionReport, ActionStatus, Gate


def run_once(
    board: BoardContext,
    gate: Gate,
    grant: Grant,
    step: PlanStep,
    before: str | None,
    *,
    proof: tuple[Check, ...],
    run: Callable[[], ActionReport],
) -> ActionReport:
    """Call `run` if the step was never attempted. Otherwise report what is known of it.

    `before` is the recorded result of an earlier attempt; `proof` holds on the server if the step
    took effect. Raises `Unreachable` if an earlier worker's command may still run.
    """
    if before is None:
        return run()
    if before == "DONE":
        return ActionReport(ActionStatus.DONE)
    if before == "INTENT":
        gate.ensure_stopped(grant, step)
    happened = bool(proof) and gate.first_failed(grant, proof) is None
    if before == "INTENT":
        commands.resolve_unknown(board, grant, step, happened=happened)
    if happened:
        return ActionReport(ActionStatus.DONE)
    key = "unknown" if before == "INTENT" else "attempted"
    return ActionReport(ActionStatus.FAILED, t(f"agents.{key}", ordinal=step.ordinal + 1))
