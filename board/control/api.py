"""The kill switch for programs: its state, turning it on, lifting it."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from guardia.board.control import kill_switch as control_kill_switch
from guardia.board.core import kill_switch
from guardia.board.core.context import BoardContext
from guardia.board.web.caller import BoardDep, Caller
from guardia.text import Reason

router = APIRouter(prefix="/api/v3/kill-switch", tags=["control"])


class KillSwitchRequest(BaseModel):
    """Why the switch is turned."""

    reason: Reason = ""


class StoppedTaskOut(BaseModel):
    """One task that the switch has stopped."""

    sr: int
    task: int
    server: str
    found: str
    state: str
    outcome: str


class KillSwitchOut(BaseModel):
    """The switch, and where it is on: since when, by whom, and what became of what it stopped."""

    on: bool
    ordered_by: str | None = None
    reason: str | None = None
    ordered_at: datetime | None = None
    undoing: int = 0
    stopped: list[StoppedTaskOut] = []


@router.get("", summary="Whether the kill switch is on, and what it has stopped")
def show(board: BoardDep) -> KillSwitchOut:
    """The switch as it is now."""
    return _state(board)


@router.put("", summary="Stop everything at once")
def kill(board: BoardDep, caller: Caller, order: KillSwitchRequest) -> KillSwitchOut:
    """Turn it on; turned on already, it stays as it is."""
    control_kill_switch.kill(board, caller, order.reason)
    return _state(board)


@router.post("/release", summary="Lift the kill switch, with a reason")
def release(board: BoardDep, caller: Caller, order: KillSwitchRequest) -> KillSwitchOut:
    """Turn it off; 422 without a reason, or where it is off."""
    control_kill_switch.release(board, caller, order.reason)
    return _state(board)


def _state(board: BoardContext) -> KillSwitchOut:
    on = kill_switch.active_kill_switch(board)
    if on is None:
        return KillSwitchOut(on=False)
    stopped = [
        StoppedTaskOut(
            sr=s.sr_id,
            task=s.task_id,
            server=s.server,
            found=s.found,
            state=s.state,
            outcome=s.outcome,
        )
        for s in control_kill_switch.stopped_tasks(board, on.kill_id)
    ]
    return KillSwitchOut(
        on=True,
        ordered_by=on.ordered_by,
        reason=on.reason,
        ordered_at=on.ordered_at,
        undoing=on.undoing,
        stopped=stopped,
    )
