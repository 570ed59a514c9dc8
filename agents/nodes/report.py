"""Close the task with what came of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from langgraph.runtime import Runtime

from guardia.agents import lessons
from guardia.agents.state import Context, Ending, OperateState
from guardia.board.desk import Desk, Hold, notes, view, work
from guardia.board.desk.notes import Experience
from guardia.i18n import t

_CLOSE: dict[Ending, Callable[[Desk, Hold, str], None]] = {
    "completed": work.complete,
    "failed": work.fail,
    "manual": work.hand_over,
    "emergency": partial(work.hand_over, emergency=True),
}


def report(state: OperateState, runtime: Runtime[Context]) -> OperateState:
    """Note what was tried and learned, then make the one move that the ending calls for."""
    context, ending = runtime.context, state["ending"]
    first = (state["report"].splitlines() or [""])[0]
    line = t("notes.ended", how=t(f"notes.ending.{ending}"), text=first)
    learned = _learned(state, context)
    notes.write(context.desk, context.hold, line, [learned] if learned else [])
    _CLOSE[ending](context.desk, context.hold, state["report"])
    return {}


def _learned(state: OperateState, context: Context) -> Experience | None:
    """What the end teaches of the procedure that led to it."""
    name = state.get("runbook")
    if not name:
        return None
    unfit = state["ending"] == "manual" and state.get("rule") is None
    title = context.library.runbook(name).title
    server = view.task(context.desk, context.hold.task_id).server
    return lessons.experience(name, title, server, "unfit" if unfit else state["ending"])
