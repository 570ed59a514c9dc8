"""The page of the channels: what is set up, what was sent, and a test message."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response

from guardia.board.core.context import BoardContext
from guardia.board.intake import channel_tests
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.text import CLEANED, TRIMMED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

PATH = "/channels"


@router.get(PATH)
def show(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sent: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
) -> Response:
    """Show the channels."""
    return _page(request, board, visitor, sent=sent)


@router.post(PATH)
def test(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    channel: Annotated[str, Form(max_length=40), TRIMMED] = "",
    room: Annotated[str, Form(max_length=200), CLEANED] = "",
) -> Response:
    """Send a test message."""
    settings = request.app.state.settings
    return actions.submit_fields(
        request,
        lambda: channel_tests.send_test(board, visitor.person, settings, channel, room),
        on_success=lambda number: f"{PATH}?sent={number}",
        on_refusal=partial(_page, request, board, visitor, room=room),
    )


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    sent: int = 0,
    room: str = "",
    status: int = 200,
    notice: str = "",
    field: str = "",
) -> Response:
    return render.page(
        request,
        "intake/channels.html",
        status=status,
        visitor=visitor,
        rows=channel_tests.channels(board, visitor.person, request.app.state.settings),
        sent=sent,
        room=room,
        notice=notice,
        field=field,
    )
