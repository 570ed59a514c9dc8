"""Carry out the requests of an external agent with the claim of its beat, through the gate."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import ValidationError

from guardia.agents import plan_guard
from guardia.agents.prechecks import run_prechecks
from guardia.agents.state import AgentContext
from guardia.board.audit.canonical import digest
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import State
from guardia.board.core.plan import Category, Check, Citation, Plan, Risk, ToolCall
from guardia.board.execution import grants, tasks, view
from guardia.board.external_agents import sessions
from guardia.board.external_agents.calls import CallRequest, CallResponse
from guardia.board.external_agents.schemas import ApplyRequest, PlanProposal, TextBody, ToolUse
from guardia.db.engine import OUTAGE_ERRORS
from guardia.errors import (
    CommandFailed,
    Forbidden,
    GuardiaError,
    Invalid,
    NotFound,
    Refused,
    Unreachable,
    UserError,
)
from guardia.i18n import t
from guardia.org import agent_permissions
from guardia.org.chart_model import AgentEntry
from guardia.tools import catalog, planning, policy

log = logging.getLogger(__name__)

_STATUS_CODES: dict[type[GuardiaError], int] = {Forbidden: 403, NotFound: 404, Invalid: 422}
_CONFLICT = 409


class ToolProxy:
    """Serves the requests of one session, one at a time; every refusal is recorded."""

    def __init__(
        self, context: AgentContext, entry: AgentEntry, session_id: int, plan_executor: Any
    ) -> None:
        self._context, self._entry = context, entry
        self._session_id = session_id
        self._plan_executor = plan_executor
        self._handlers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "read": self._read,
            "plan": self._plan,
            "apply": self._apply,
            "finish": self._finish,
        }

    def serve(self, request: CallRequest) -> CallResponse:
        """Carry out a request, or return why not. Only an unreachable database raises."""
        try:
            return CallResponse(200, self._handlers[request.kind](request.body))
        except UserError as error:
            return self._refuse(request, error)
        except ValidationError as error:
            return self._refuse(request, Invalid(what=request.kind, why=_first_error(error)))
        except (CommandFailed, Unreachable) as error:
            return CallResponse(200, {"ok": False, "message": str(error)})
        except OUTAGE_ERRORS:
            raise
        except Exception as error:
            if request.kind == "apply":
                raise  # a change may have been made: the team settles that
            log.exception("request %s of agent %s failed", request.kind, self._entry.id)
            kind = type(error).__name__
            return CallResponse(500, {"message": t("agents.internal", kind=kind)})

    def _refuse(self, request: CallRequest, error: GuardiaError) -> CallResponse:
        tool = str(request.body.get("tool", ""))[:80]
        request_name = f"{request.kind} {tool}".strip()
        sessions.record_refusal(self._context.board, self._session_id, request_name, error)
        return CallResponse(_STATUS_CODES.get(type(error), _CONFLICT), {"message": str(error)})

    def _read(self, body: dict[str, Any]) -> dict[str, Any]:
        call = self._call(ToolUse.model_validate(body))
        grant = grants.grant_reads(self._context.board, self._context.claim)
        planning.prepare(call, self._context.gate.host(grant))
        return {"ok": True, "findings": self._context.gate.read(grant, call)}

    def _plan(self, body: dict[str, Any]) -> dict[str, Any]:
        board, claim = self._context.board, self._context.claim
        proposal = PlanProposal.model_validate(body)
        plan, guidance = self._build_plan(proposal), view.guidance(board, claim.task_id)
        if plan_guard.is_refused(plan, guidance):
            raise Refused(why=plan_guard.answer(guidance))
        grant = grants.grant_reads(board, claim)
        checks = run_prechecks(self._context.gate, grant, plan)
        tasks.file_plan(
            board, claim, plan, answer=plan_guard.revised(plan, guidance), checks=checks
        )
        filed = view.plan_state(board, claim.task_id)
        assert filed.plan is not None
        return {
            "plan_hash": filed.plan_hash,
            "category": filed.plan.category,
            "state": view.task(board, claim.task_id).state.value,
            "actions": [action.effect for action in filed.plan.actions],
        }

    def _build_plan(self, proposal: PlanProposal) -> Plan:
        """Build a concrete plan, with the commands, checks and undos that each tool declares."""
        grant = grants.grant_reads(self._context.board, self._context.claim)
        host = self._context.gate.host(grant)
        actions = tuple(planning.propose(self._call(use), host) for use in proposal.actions)
        if any(action.risk is Risk.READ for action in actions):
            raise Refused(why=t("agents.outside.only_changes"))
        checks = tuple(
            self._check(ToolCall(tool=v.tool, args=v.args), v.expect, v.within)
            for v in proposal.verify
        )
        for check in checks:
            planning.prepare(check.call, host)
        return Plan(
            server=grant.server_id,
            category=policy.least_category([action.risk for action in actions]),
            because=proposal.because,
            citation=self._self_citation(proposal.because),
            actions=actions,
            verify=checks,
        )

    def _check(self, call: ToolCall, expect: str, within: int) -> Check:
        if self._tool(call.tool).risk is not Risk.READ:
            raise Refused(why=t("gate.not_a_read", tool=call.tool))
        try:
            jmespath.compile(expect)
        except JMESPathError as error:
            raise Invalid(what="expect", why=str(error)[:200]) from None
        return Check(call=call, expect=expect, within=within)

    def _self_citation(self, because: str) -> Citation:
        title = t("agents.outside.citation", agent=self._entry.title)
        document = str(Actor.agent(self._entry.id))
        sha256 = digest({"because": because})
        return Citation(document=document, title=title, version=0, sha256=sha256, passage=because)

    def _call(self, use: ToolUse) -> ToolCall:
        self._tool(use.tool)
        return ToolCall(tool=use.tool, args=use.args)

    def _tool(self, name: str) -> Any:
        tool = catalog.find(name)
        if not agent_permissions.allows_tool(self._entry.tools, name):
            raise Forbidden(who=self._entry.title, action=name)
        return tool

    def _apply(self, body: dict[str, Any]) -> dict[str, Any]:
        plan_hash = ApplyRequest.model_validate(body).plan_hash
        filed = view.plan_state(self._context.board, self._context.claim.task_id)
        if filed.plan_hash != plan_hash:
            raise Refused(why=t("board.plan_changed"))
        if not filed.approved:
            raise Refused(why=t("board.not_approved"))
        return self._execute_plan()

    def _execute_plan(self) -> dict[str, Any]:
        result = self._plan_executor.invoke({}, context=self._context)
        state = view.task(self._context.board, self._context.claim.task_id).state
        return {"state": state.value, "report": result["report"]}

    def _finish(self, body: dict[str, Any]) -> dict[str, Any]:
        """Finish without changes: file a plan of no actions, or hand an incident to people."""
        board, claim = self._context.board, self._context.claim
        text, found = TextBody.model_validate(body).text, view.task(board, claim.task_id)
        if found.state is not State.PARSED or found.server is None:
            raise Refused(why=t("agents.outside.not_now", state=t(f"state.{found.state}")))
        if found.kind == "INCIDENT":
            # Someone has reported an incident: finding nothing to do does not close it.
            tasks.hand_over(board, claim, text)
            return {"state": State.MANUAL.value}
        empty = Plan(
            server=found.server,
            category=Category.READ_ONLY,
            because=text,
            citation=self._self_citation(text),
            actions=(),
        )
        if tasks.file_plan(board, claim, empty):
            return self._execute_plan()
        return {"state": view.task(board, claim.task_id).state.value}


def _first_error(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:300]
