"""One step of a plan, at most once: also where an earlier waking died in the middle of it."""

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
    """``run`` a step that was never attempted; of any other, what is known or the server shows.

    ``before`` is what is known of an earlier attempt, and ``shown_by`` what holds on the server
    where the step has happened. ``Unreachable`` where an earlier worker's command may still run.
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
