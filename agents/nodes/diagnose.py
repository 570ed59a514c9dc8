"""Read the server as the runbook says; nothing is changed."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from guardia.agents import procedure
from guardia.agents.state import AgentContext, OperateState
from guardia.board.core.claims import Grant
from guardia.board.core.plan import ToolCall
from guardia.board.execution import grants, view
from guardia.errors import CommandFailed, Invalid, Refused, Unreachable
from guardia.org.directory import Host
from guardia.tools import planning


def diagnose(state: OperateState, runtime: Runtime[AgentContext]) -> OperateState:
    """Run the diagnose calls of the next candidate and keep their findings.

    The finding of a failed read is `null`, which rules can distinguish from a healthy result.
    """
    context = runtime.context
    candidate, *rest = state["candidates"]
    runbook = context.library.runbook(candidate["runbook"], candidate["citation"]["sha256"])
    requests = view.guidance(context.board, context.claim.task_id).requests
    params, _ = procedure.extract_parameters(runbook, state["text"], requests)
    grant = grants.grant_reads(context.board, context.claim)
    host = context.gate.host(grant)
    service = procedure.service_of(candidate, runbook, host, state["text"])
    findings: dict[str, Any] = {}
    for step in runbook.diagnose:
        situation = procedure.Situation(host, service, params, findings)
        call = procedure.diagnose_call(step, situation)
        try:
            found = read_if_applicable(context, grant, call, host)
        except (CommandFailed, Unreachable) as error:
            findings[step.as_] = None
            errors = findings.setdefault("errors", [])
            if str(error) not in errors:  # a silent server is one finding
                errors.append(str(error))
        else:
            findings[step.as_] = found
    return {
        "candidates": rest,
        "runbook": runbook.id,
        "service": service.name if service else None,
        "citation": candidate["citation"],
        "params": params,
        "findings": findings,
        "healthy": state.get("healthy", []) if runbook.id == state.get("runbook") else [],
        "rule": None,
    }


def read_if_applicable(
    context: AgentContext, grant: Grant, call: ToolCall, host: Host
) -> dict[str, Any]:
    """Run a read. Raises `CommandFailed` also for one that is not for this service."""
    try:
        planning.prepare(call, host)
    except (Invalid, Refused) as error:
        raise CommandFailed(tool=call.tool, exit="-", output=str(error)) from error
    return context.gate.read(grant, call)
