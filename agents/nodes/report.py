"""Close the task with its result."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from langgraph.runtime import Runtime

from guardia.agents import lessons
from guardia.agents.state import AgentContext, OperateState
from guardia.board.core.claims import Claim
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.execution import tasks, view
from guardia.board.organization import agent_memory
from guardia.board.organization.agent_memory import RunbookOutcome
from guardia.i18n import t

_CLOSE: dict[str, tuple[Callable[[BoardContext, Claim, str], None], State]] = {
    "completed": (tasks.complete, State.COMPLETED),
    "failed": (tasks.fail, State.FAILED_ROLLBACK),
    "manual": (tasks.hand_over, State.MANUAL),
    "emergency": (partial(tasks.hand_over, emergency=True), State.MANUAL),
}


def report(state: OperateState, runtime: Runtime[AgentContext]) -> OperateState:
    """Write down what was tried and learned, then make the transition that the ending calls for."""
    context, ending = runtime.context, state["ending"]
    first = (state["report"].splitlines() or [""])[0]
    how = state.get("server_left", ending)
    line = t("notes.ended", how=t(f"notes.ending.{how}"), text=first)
    learned = _experience(state, context)
    agent_memory.write(context.board, context.claim, line, [learned] if learned else [])
    close, end = _CLOSE[ending]
    close(context.board, context.claim, state["report"])
    context.final_states.append(end)
    return {}


def _experience(state: OperateState, context: AgentContext) -> RunbookOutcome | None:
    """Return the lesson about the runbook that led to this end."""
    name = state.get("runbook")
    if not name:
        return None
    unfit = state["ending"] == "manual" and state.get("rule") is None
    title = context.library.runbook(name).title
    server = view.task(context.board, context.claim.task_id).server
    ending = "unfit" if unfit else state.get("server_left", state["ending"])
    return lessons.experience(name, title, server, ending)
