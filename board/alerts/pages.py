"""The page of alerts, with the maintenance windows that silence them."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from guardia.board.alerts import maintenance, view
from guardia.board.alerts.policy import AlertState
from guardia.board.approvals import start_time
from guardia.board.core.context import BoardContext
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.text import FOLDED, Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

_Word = Annotated[str, Query(max_length=100), FOLDED]
_Field = Annotated[str, Field(max_length=100), FOLDED]
_Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
_PAGE = "/alerts"


class WindowForm(BaseModel):
    """The fields of a maintenance window as a person fills them in."""

    model_config = ConfigDict(extra="ignore")

    begins: _Field = ""
    ends: _Field = ""
    server: _Field = ""
    institution: _Field = ""
    reason: Reason = ""


@router.get("/alerts")
def show(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    state: _Word = "",
    before: _Word = "",
) -> Response:
    """Show alerts, the newest report first, and the maintenance windows."""
    return _page(request, board, visitor, state=state, before=before)


@router.post("/alerts/maintenance")
def declare(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    form: Annotated[WindowForm, Form()],
) -> Response:
    """Declare a maintenance window."""

    def act() -> object:
        now = board.clock()
        wanted = maintenance.WindowRequest(
            begins_at=start_time.read_start(board, form.begins) or now,
            ends_at=start_time.read_start(board, form.ends) or now,
            reason=form.reason,
            server=form.server,
            institution=form.institution,
        )
        return maintenance.declare_window(board, visitor.person, wanted)

    again = partial(_page, request, board, visitor, form=form.model_dump())
    return actions.submit(request, act, on_success=_PAGE, on_refusal=again)


@router.post("/alerts/maintenance/{window_id}/end")
def end(request: Request, board: BoardDep, visitor: CurrentVisitor, window_id: _Number) -> Response:
    """End a maintenance window before its time."""
    return actions.submit(
        request,
        lambda: maintenance.end_window(board, visitor.person, window_id),
        on_success=_PAGE,
        on_refusal=partial(_page, request, board, visitor),
    )


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    state: str = "",
    before: str = "",
    form: dict[str, str] | None = None,
    status: int = 200,
    notice: str = "",
) -> Response:
    return render.page(
        request,
        "alerts/alerts.html",
        status=status,
        visitor=visitor,
        found=view.list_alerts(board, visitor.person, state=state, before=before),
        windows=view.list_windows(board, visitor.person),
        states=tuple(AlertState),
        state=state,
        form=form or {},
        notice=notice,
    )
