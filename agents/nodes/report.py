"""Close the task with what came of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from langgraph.runtime import Runtime

from guardia.agents.state import Context, Ending, OperateState
from guardia.board.desk import Desk, Hold, work

_CLOSE: dict[Ending, Callable[[Desk, Hold, str], None]] = {
    "completed": work.complete,
    "failed": work.fail,
    "manual": work.hand_over,
    "emergency": partial(work.hand_over, emergency=True),
}


def report(state: OperateState, runtime: Runtime[Context]) -> OperateState:
    """Make the one move that the ending calls for."""
    context = runtime.context
    _CLOSE[state["ending"]](context.desk, context.hold, state["report"])
    return {}
