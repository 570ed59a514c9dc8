"""Employs outside agents: one turn on a task that our beat holds, and what becomes of it."""

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
from guardia.board.execution import tasks, view
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
    """What outside agents need of a worker process."""

    def __init__(self, board: str, means: HostResources, *, grace: float = GRACE) -> None:
        """``board`` is the address under which they reach the board."""
        self._board = board.rstrip("/")
        self._means = means
        self._grace = grace
        self._carry = graph.execution_graph()

    def work(
        self, context: AgentContext, entry: AgentEntry, closing: Callable[[], bool] = lambda: False
    ) -> bool:
        """One turn; ``False`` where this process is ``closing`` and another is to begin it anew.

        What a turn leaves open goes to people: nothing waits for an agent that is gone.
        """
        desk, hold = context.desk, context.hold
        if view.task(desk, hold.task_id).state is State.IN_PROGRESS:
            # A worker died while it carried out an approved plan: that needs no second opinion.
            self._carry.invoke({}, context=context)
            return True
        self._require_budget(context)
        ending = self._turn(context, entry, closing)
        _report_usage(context, ending)
        if ending.how == "closing":
            return False
        left = view.task(desk, hold.task_id).state
        if left in CLAIMABLE_STATES:
            how = t(f"agents.outside.how.{ending.how}")
            tasks.hand_over(desk, hold, t("agents.outside.unfinished", agent=entry.title, how=how))
        return True

    def _require_budget(self, context: AgentContext) -> None:
        """An outside agent has no embedded brain to go on with: without budget it rests."""
        if metering.allowance(context.desk, context.hold).spent:
            why = t("agents.outside.no_budget")
            budgets.pause_agent(
                context.desk, context.hold, BudgetRefusal(why, True, True, Amount(1, 0))
            )

    def _turn(
        self, context: AgentContext, entry: AgentEntry, closing: Callable[[], bool]
    ) -> SessionEnd:
        adapter, desk, hold = entry.adapter, context.desk, context.hold
        assert adapter is not None
        offered = build_manifest(entry, context.gate.host(tasks.grant_reads(desk, hold)))
        session_id, token = sessions.open_session(
            desk,
            hold,
            offered,
            kind=adapter.kind,
            seconds=adapter.seconds,
            budget=adapter.calls,
        )
        errand = self._errand(context, entry, session_id, token, offered)
        ending = SessionEnd("failed")
        try:
            turn = AgentSession(
                desk,
                hold,
                ToolProxy(context, entry, session_id, self._carry),
                session_id,
                adapter.seconds,
                self._grace,
                closing,
            )
            ending = turn.run(self._engaged(adapter, errand))
        finally:
            sessions.close_session(desk, hold, session_id, ending)
        return ending

    def _engaged(self, adapter: Adapter, errand: SessionSpec) -> AgentHandle:
        return ADAPTERS[adapter.kind](adapter, errand, self._means)

    def _errand(
        self,
        context: AgentContext,
        entry: AgentEntry,
        session_id: int,
        token: str,
        offered: dict[str, Any],
    ) -> SessionSpec:
        hold = context.hold
        task = {**external_agent_view.task(context.desk, hold), **offered}
        api = f"{self._board}/api/agent/tasks/{hold.task_id}"
        role = instructions(entry.role) if entry.role else ""
        return SessionSpec(session_id, task, api, token, role)


def _report_usage(context: AgentContext, ending: SessionEnd) -> None:
    """What the program itself says that its model used; the chart's prices make money of it."""
    for model, used in (ending.usage or {}).get("models", {}).items():
        tokens = used["input_tokens"], used["output_tokens"]
        metering.report_usage(context.desk, context.hold, ReportedUsage(model, *tokens))
