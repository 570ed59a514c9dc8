"""API of the kill switch: read its state, activate it and release it."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from guardia.board.control import kill_switch as control_kill_switch
from guardia.board.control import kill_text
from guardia.board.core import kill_switch
from guardia.board.core.context import BoardContext
from guardia.board.web.caller import BoardDep, Caller
from guardia.text import Reason

router = APIRouter(prefix="/api/v3/kill-switch", tags=["control"])


class KillSwitchRequest(BaseModel):
    """Reason for activating or releasing the switch."""

    reason: Reason = ""


class StoppedTaskOut(BaseModel):
    """A task stopped by the switch."""

    sr: int
    task: int
    server: str
    found: str
    state: str
    outcome: str


class KillSwitchOut(BaseModel):
    """State of the switch; if it is on, its activation and the tasks that it stopped."""

    on: bool
    ordered_by: str | None = None
    reason: str | None = None
    ordered_at: datetime | None = None
    undoing: int = 0
    stopped: list[StoppedTaskOut] = []


@router.get("", summary="Whether the kill switch is on, and what it has stopped")
def show(board: BoardDep) -> KillSwitchOut:
    """Return the current state of the switch."""
    return _state(board)


@router.put("", summary="Stop everything at once")
def kill(board: BoardDep, caller: Caller, body: KillSwitchRequest) -> KillSwitchOut:
    """Activate the switch; no effect if it is on already.

    503 with the outcome if only this host could be stopped.
    """
    kill_text.require_recorded(control_kill_switch.kill(board, caller, body.reason))
    return _state(board)


@router.post("/release", summary="Lift the kill switch, with a reason")
def release(board: BoardDep, caller: Caller, body: KillSwitchRequest) -> KillSwitchOut:
    """Release the switch; 422 if there is no reason or the switch is off."""
    control_kill_switch.release(board, caller, body.reason)
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
