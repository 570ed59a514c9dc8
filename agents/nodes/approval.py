"""Wait for people. Has no effect of its own, because it runs again from its first line."""

from __future__ import annotations

from langgraph.types import interrupt

from guardia.agents.state import OperateState


def approval(state: OperateState) -> OperateState:
    """Suspend until the board has decided.

    The value of the resume only says where to continue; the board says what is permitted. A text is
    a request for changes: the same runbook diagnoses the server again.
    """
    decision = None if state["waived"] else interrupt("approval")
    if not isinstance(decision, str):
        return {"returned": None}
    again = {name: state.get(name) for name in ("runbook", "citation", "service")}
    return {"returned": decision, "candidates": [again, *state["candidates"]]}
