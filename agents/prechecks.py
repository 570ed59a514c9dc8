"""Run the pre-checks of a plan as reads when it is filed, so that people see what fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardia.board.core.claims import Grant
from guardia.board.core.plan import Check, Plan
from guardia.board.core.planner import ReadEvidence
from guardia.board.execution.plan_history import PreCheckResult
from guardia.errors import CommandFailed, Unreachable
from guardia.tools.gate import FailedCheck, Gate, is_satisfied


def run_prechecks(
    gate: Gate, grant: Grant, plan: Plan, evidence: Sequence[ReadEvidence] = ()
) -> list[PreCheckResult]:
    """Return the results of all pre-checks of a plan.

    What has just been read in the diagnosis is not read again.
    """
    return list(_results(gate, grant, plan, evidence))


def unread_prechecks(plan: Plan, why: str) -> list[PreCheckResult]:
    """Return the results of pre-checks that could not be read, all for the same reason."""
    return [
        PreCheckResult(ordinal, check.call.tool, check.expect, None, why)
        for ordinal, action in enumerate(plan.actions)
        for check in action.precheck
    ]


def _results(
    gate: Gate, grant: Grant, plan: Plan, evidence: Sequence[ReadEvidence]
) -> Iterator[PreCheckResult]:
    for ordinal, action in enumerate(plan.actions):
        for check in action.precheck:
            yield _result(gate, grant, ordinal, check, evidence)


def _result(
    gate: Gate, grant: Grant, ordinal: int, check: Check, evidence: Sequence[ReadEvidence]
) -> PreCheckResult:
    known = [
        dict(read.findings)
        for read in evidence
        if read.findings is not None
        and (read.tool, dict(read.args)) == (check.call.tool, check.call.args)
    ]
    try:
        found = known[-1] if known else gate.read(grant, check.call)
    except (CommandFailed, Unreachable) as error:
        return PreCheckResult(ordinal, check.call.tool, check.expect, None, str(error))
    holds = is_satisfied(check, found)
    text = "" if holds else str(FailedCheck(check, found))
    return PreCheckResult(ordinal, check.call.tool, check.expect, holds, text)
