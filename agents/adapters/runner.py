"""Run external agents: one session on a claimed task, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from guardia.agents import graph
from guardia.agents.adapters.claude_code import ClaudeCodeAgent
from guardia.agents.adapters.contract import AgentHandle, HostResources, SessionSpec
from guardia.agents.adapters.manifest import build_manifest
from guardia.agents.adapters.process import ProcessAgent
from guardia.agents.adapters.session import GRACE, AgentSession
from guardia.agents.adapters.tool_proxy import ToolProxy
from guardia.agents.adapters.webhook import WebhookAgent
from guardia.agents.brain.role import instructions
from guardia.agents.state import AgentContext
from guardia.board.core.lifecycle import State
from guardia.board.costs import budgets, metering
from guardia.board.costs.budget_accounts import BudgetRefusal
from guardia.board.costs.metering import ReportedUsage
from guardia.board.execution import grants, tasks, view
from guardia.board.external_agents import sessions
from guardia.board.external_agents import view as external_agent_view
from guardia.board.external_agents.sessions import SessionEnd
from guardia.board.runs.claiming import CLAIMABLE_STATES
from guardia.i18n import t
from guardia.org.adapters import Adapter
from guardia.org.budgets import Amount
from guardia.org.chart_model import AgentEntry

ADAPTERS: dict[str, Callable[[Any, SessionSpec, HostResources], AgentHandle]] = {
    "process": ProcessAgent,
    "http": WebhookAgent,
    "claude_code": ClaudeCodeAgent,
}


class ExternalAgentRunner:
    """Runs the external agents of a worker process."""

    def __init__(self, board_url: str, resources: HostResources, *, grace: float = GRACE) -> None:
        """`board_url` is the address at which the agents reach the board."""
        self._board_url = board_url.rstrip("/")
        self._resources = resources
        self._grace = grace
        self._plan_executor = graph.execution_graph()

    def work(
        self, context: AgentContext, entry: AgentEntry, closing: Callable[[], bool] = lambda: False
    ) -> bool:
        """Run one session. Returns `False` if it must start over in another process.

        That is the case if this process is `closing`. A task that a session leaves open goes to
        people: nothing waits for an agent that is gone. An approved plan that waits for its time or
        its server stays with the agent, which is woken when it can start.
        """
        board, claim = context.board, context.claim
        if view.task(board, claim.task_id).state is State.IN_PROGRESS:
            # A worker died while carrying out an approved plan, which only needs to be continued.
            self._plan_executor.invoke({}, context=context)
            return True
        self._require_budget(context)
        ending = self._run_session(context, entry, closing)
        _report_usage(context, ending)
        if ending.how == "closing":
            return False
        task = view.task(board, claim.task_id)
        if task.state in CLAIMABLE_STATES and not task.is_waiting:
            how = t(f"agents.outside.how.{ending.how}")
            tasks.hand_over(
                board, claim, t("agents.outside.unfinished", agent=entry.title, how=how)
            )
        return True

    def _require_budget(self, context: AgentContext) -> None:
        """Pause the agent without budget: it has no embedded brain to fall back on."""
        if metering.allowance(context.board, context.claim).spent:
            why = t("agents.outside.no_budget")
            budgets.pause_agent(
                context.board, context.claim, BudgetRefusal(why, True, True, Amount(1, 0))
            )

    def _run_session(
        self, context: AgentContext, entry: AgentEntry, closing: Callable[[], bool]
    ) -> SessionEnd:
        adapter, board, claim = entry.adapter, context.board, context.claim
        assert adapter is not None
        manifest = build_manifest(entry, context.gate.host(grants.grant_reads(board, claim)))
        session_id, token = sessions.open_session(
            board,
            claim,
            manifest,
            kind=adapter.kind,
            seconds=adapter.seconds,
            budget=adapter.calls,
        )
        spec = self._build_spec(context, entry, session_id, token, manifest)
        ending = SessionEnd("failed")
        try:
            agent_session = AgentSession(
                board,
                claim,
                ToolProxy(context, entry, session_id, self._plan_executor),
                session_id,
                adapter.seconds,
                self._grace,
                closing,
            )
            ending = agent_session.run(self._create_handle(adapter, spec))
        finally:
            sessions.close_session(board, claim, session_id, ending)
        return ending

    def _create_handle(self, adapter: Adapter, spec: SessionSpec) -> AgentHandle:
        return ADAPTERS[adapter.kind](adapter, spec, self._resources)

    def _build_spec(
        self,
        context: AgentContext,
        entry: AgentEntry,
        session_id: int,
        token: str,
        manifest: dict[str, Any],
    ) -> SessionSpec:
        claim = context.claim
        task = {**external_agent_view.task(context.board, claim), **manifest}
        api = f"{self._board_url}/api/agent/tasks/{claim.task_id}"
        role = instructions(entry.role) if entry.role else ""
        return SessionSpec(session_id, task, api, token, role)


def _report_usage(context: AgentContext, ending: SessionEnd) -> None:
    """Record the usage that the program itself reports; the chart's prices apply."""
    for model, used in (ending.usage or {}).get("models", {}).items():
        tokens = used["input_tokens"], used["output_tokens"]
        metering.report_usage(context.board, context.claim, ReportedUsage(model, *tokens))
