"""Page of the kill switch: its state, the confirmed activation and the release."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from guardia.board.control import kill_switch as control_kill_switch
from guardia.board.control import kill_text
from guardia.board.core import kill_switch, labels
from guardia.board.core.context import BoardContext
from guardia.board.web import actions, render
from guardia.board.web.session import BoardDep, CurrentVisitor, Visitor, current_visitor
from guardia.org.access import require_permission
from guardia.text import Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(current_visitor)])

_Reason = Annotated[Reason, Form()]


@router.get("/control")
def show(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show the state of the switch and the tasks that it has stopped."""
    return _page(request, board, visitor)


def _page(
    request: Request, board: BoardContext, visitor: Visitor, *, status: int = 200, notice: str = ""
) -> Response:
    require_permission(visitor.person, "plan.read")
    on = kill_switch.active_kill_switch(board)
    stopped = control_kill_switch.stopped_tasks(board, on.kill_id) if on else []
    return render.page(
        request,
        "control/control.html",
        status=status,
        visitor=visitor,
        stopped=stopped,
        ordered_by=labels.actor_label(kill_switch.activator_names(board, on), on.ordered_by)
        if on
        else "",
        notice=notice,
    )


@router.post("/kill")
def kill(
    request: Request, board: BoardDep, visitor: CurrentVisitor, reason: _Reason = ""
) -> Response:
    """Activate the switch; 503 with the outcome if only this host could be stopped."""

    def act() -> None:
        kill_text.require_recorded(control_kill_switch.kill(board, visitor.person, reason))

    return _submit(request, board, visitor, act)


@router.post("/release")
def release(
    request: Request, board: BoardDep, visitor: CurrentVisitor, reason: _Reason = ""
) -> Response:
    """Release the switch."""
    return _submit(
        request, board, visitor, lambda: control_kill_switch.release(board, visitor.person, reason)
    )


def _submit(
    request: Request, board: BoardContext, visitor: Visitor, act: Callable[[], object]
) -> Response:
    again = partial(_page, request, board, visitor)
    return actions.submit(request, act, on_success="/control", on_refusal=again)
