"""Pages for delegations and absences."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from guardia.board.approvals import delegations, start_time
from guardia.board.core.context import BoardContext
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import Invalid, Missing
from guardia.i18n import t
from guardia.text import FOLDED, TRIMMED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

_PATH = "/delegations"
_Id = Annotated[str, Form(max_length=64), FOLDED]
_Moment = Annotated[str, Form(max_length=32), TRIMMED]
_MAX = 2**63 - 1


@router.get(_PATH)
def show(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show current and future delegations and the form for a new one."""
    return _page(request, board, visitor)


@router.post(_PATH)
def create(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    *,
    to: _Id = "",
    until: _Moment = "",
    begins: _Moment = "",
    principal: _Id = "",
    absent: Annotated[bool, Form()] = False,
) -> Response:
    """Create a delegation, as an administrator also for another person."""

    def act() -> None:
        with board.database.reading() as session:
            zone = start_time.company_zone(session)
        ends = _parse_time(until, zone)
        if ends is None:
            raise Missing(what=t("web.delegation.until"))
        delegations.delegate(
            board,
            visitor.person,
            to,
            begins=_parse_time(begins, zone),
            ends=ends,
            principal=principal or None,
            absent=absent,
        )

    return _submit(request, board, visitor, act)


@router.post(f"{_PATH}/end")
def revoke(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Annotated[int, Form(ge=1, le=_MAX)],
) -> Response:
    """End one delegation."""
    return _submit(
        request, board, visitor, lambda: delegations.revoke_one(board, visitor.person, number)
    )


def _parse_time(given: str, zone: tzinfo) -> datetime | None:
    if not given:
        return None
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        raise Invalid(what=given, why=t("cli.delegate.format")) from None
    return found if found.tzinfo else found.replace(tzinfo=zone)


def _submit(
    request: Request, board: BoardContext, visitor: Visitor, act: Callable[[], None]
) -> Response:
    again = partial(_page, request, board, visitor)
    return actions.submit(request, act, on_success=_PATH, on_refusal=again)


def _page(
    request: Request, board: BoardContext, visitor: Visitor, *, status: int = 200, notice: str = ""
) -> Response:
    view = delegations.overview(board, visitor.person)
    return render.page(
        request,
        "approvals/delegations.html",
        status=status,
        visitor=visitor,
        view=view,
        notice=notice,
    )
