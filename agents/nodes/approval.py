"""Wait for people; has no effect of its own, because it runs again from its first line."""

from __future__ import annotations

from langgraph.types import interrupt

from guardia.agents.state import OperateState


def approval(state: OperateState) -> OperateState:
    """Sleep until the board has decided; the board, not the answer, is what counts."""
    if not state["waived"]:
        interrupt("approval")
    return {}
