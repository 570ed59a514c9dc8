"""Employs outside agents: one turn on a task that our beat holds, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from guardia.agents import graph
from guardia.agents.adapters.claude_code import Cli
from guardia.agents.adapters.contract import Engagement, Errand, Means
from guardia.agents.adapters.manifest import offer
from guardia.agents.adapters.process import Program
from guardia.agents.adapters.session import GRACE, Turn
from guardia.agents.adapters.tool_proxy import Clerk
from guardia.agents.adapters.webhook import Webhook
from guardia.agents.brain.role import instructions
from guardia.agents.state import Context
from guardia.board.core.lifecycle import State
from guardia.board.costs import budgets, metering
from guardia.board.costs.budget_accounts import Refusal
from guardia.board.costs.metering import Reported
from guardia.board.execution import tasks, view
from guardia.board.external_agents import sessions
from guardia.board.external_agents import view as external_agent_view
from guardia.board.external_agents.sessions import Ending
from guardia.board.runs.claiming import WORKABLE
from guardia.i18n import t
from guardia.org.adapters import Adapter
from guardia.org.budgets import Amount
from guardia.org.chart_model import AgentEntry

ADAPTERS: dict[str, Callable[[Any, Errand, Means], Engagement]] = {
    "process": Program,
    "http": Webhook,
    "claude_code": Cli,
}


class Employer:
    """What outside agents need of a worker process."""

    def __init__(self, board: str, means: Means, *, grace: float = GRACE) -> None:
        """``board`` is the address under which they reach the board."""
        self._board = board.rstrip("/")
        self._means = means
        self._grace = grace
        self._carry = graph.carry()

    def work(
        self, context: Context, entry: AgentEntry, closing: Callable[[], bool] = lambda: False
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
        _book(context, ending)
        if ending.how == "closing":
            return False
        left = view.task(desk, hold.task_id).state
        if left in WORKABLE:
            how = t(f"agents.outside.how.{ending.how}")
            tasks.hand_over(desk, hold, t("agents.outside.unfinished", agent=entry.title, how=how))
        return True

    def _require_budget(self, context: Context) -> None:
        """An outside agent has no embedded brain to go on with: without budget it rests."""
        if metering.allowance(context.desk, context.hold).spent:
            why = t("agents.outside.no_budget")
            budgets.rest(context.desk, context.hold, Refusal(why, True, True, Amount(1, 0)))

    def _turn(self, context: Context, entry: AgentEntry, closing: Callable[[], bool]) -> Ending:
        adapter, desk, hold = entry.adapter, context.desk, context.hold
        assert adapter is not None
        offered = offer(entry, context.gate.host(tasks.observe(desk, hold)))
        session_id, token = sessions.open_session(
            desk,
            hold,
            offered,
            kind=adapter.kind,
            seconds=adapter.seconds,
            budget=adapter.calls,
        )
        errand = self._errand(context, entry, session_id, token, offered)
        ending = Ending("failed")
        try:
            turn = Turn(
                desk,
                hold,
                Clerk(context, entry, session_id, self._carry),
                session_id,
                adapter.seconds,
                self._grace,
                closing,
            )
            ending = turn.run(self._engaged(adapter, errand))
        finally:
            sessions.close_session(desk, hold, session_id, ending)
        return ending

    def _engaged(self, adapter: Adapter, errand: Errand) -> Engagement:
        return ADAPTERS[adapter.kind](adapter, errand, self._means)

    def _errand(
        self,
        context: Context,
        entry: AgentEntry,
        session_id: int,
        token: str,
        offered: dict[str, Any],
    ) -> Errand:
        hold = context.hold
        task = {**external_agent_view.task(context.desk, hold), **offered}
        api = f"{self._board}/api/agent/tasks/{hold.task_id}"
        role = instructions(entry.role) if entry.role else ""
        return Errand(session_id, task, api, token, role)


def _book(context: Context, ending: Ending) -> None:
    """What the program itself says that its model used; the chart's prices make money of it."""
    for model, used in (ending.usage or {}).get("models", {}).items():
        tokens = used["input_tokens"], used["output_tokens"]
        metering.report_usage(context.desk, context.hold, Reported(model, *tokens))
