"""Wait for people; has no effect of its own, because it runs again from its first line."""

from __future__ import annotations

from langgraph.types import interrupt

from guardia.agents.state import OperateState


def approval(state: OperateState) -> OperateState:
    """Sleep until the board has decided; the answer only says where to go on, the board what may
    be done there.

    A text is what people want to be different: the server is read again by the same procedure.
    """
    answer = None if state["waived"] else interrupt("approval")
    if not isinstance(answer, str):
        return {"returned": None}
    again = {"runbook": state["runbook"], "citation": state["citation"]}
    return {"returned": answer, "candidates": [again, *state["candidates"]]}
