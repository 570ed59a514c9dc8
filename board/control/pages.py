"""Page of the kill switch: what runs, the confirmed activation, its progress and the release."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from guardia.board.control import kill_switch as control_kill_switch
from guardia.board.control import kill_switch_view, kill_text
from guardia.board.core import kill_switch, labels
from guardia.board.core.context import BoardContext
from guardia.board.core.form_guard import FormGuard
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep, is_fragment
from guardia.board.web.form_guard import Guard
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.org.access import require_permission
from guardia.text import Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

_Reason = Annotated[Reason, Form()]
_PAGE, _LIVE = "control/control.html", "control/control_live.html"
_INVALID = 422


@router.get("/control")
def show(request: Request, board: BoardDep, visitor: CurrentVisitor, guard: Guard) -> Response:
    """Show the state of the switch; a live refresh gets only the changing part."""
    live = is_fragment(request)
    return _page(request, board, visitor, _LIVE if live else _PAGE, guard=guard)


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    template: str = _PAGE,
    *,
    guard: FormGuard | None = None,
    reason: str = "",
    status: int = 200,
    notice: str = "",
) -> Response:
    require_permission(visitor.person, "plan.read")
    on = kill_switch.active_kill_switch(board)
    names = kill_switch.activator_names(board, on) if on else {}
    guard, at_field = guard or FormGuard({}), status == _INVALID
    return render.page(
        request,
        template,
        status=status,
        visitor=visitor,
        # One reading for the whole page: the switch may be turned on between two.
        switch=on,
        found=kill_switch_view.switch_page(board, on),
        ordered_by=labels.actor_label(names, on.ordered_by) if on else "",
        release_form=guard.form("release", str(on.kill_id) if on else ""),
        reason_text=reason,
        reason_error=notice if at_field else "",
        notice="" if at_field else notice,
    )


@router.post("/kill")
def kill(
    request: Request, board: BoardDep, visitor: CurrentVisitor, reason: _Reason = ""
) -> Response:
    """Activate the switch; 503 with the outcome if only this host could be stopped."""

    def act() -> None:
        kill_text.require_recorded(control_kill_switch.kill(board, visitor.person, reason))

    return _submit(request, board, visitor, reason, act)


@router.post("/release")
def release(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    reason: _Reason = "",
    kill_id: Annotated[int | None, Form(ge=1, le=2**63 - 1)] = None,
) -> Response:
    """Release the switch, if it is still the activation that the form showed."""
    return _submit(
        request,
        board,
        visitor,
        reason,
        lambda: control_kill_switch.release(board, visitor.person, reason, kill_id=kill_id),
    )


def _submit(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    reason: str,
    act: Callable[[], object],
) -> Response:
    again = partial(_page, request, board, visitor, reason=reason)
    return actions.submit(request, act, on_success="/control", on_refusal=again)
