"""Pages of service levels: targets, calendar, report; the section of an issue and its forms."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response

from guardia.board.core.context import BoardContext
from guardia.board.issues import visibility
from guardia.board.service_levels import (
    calendar_view,
    days,
    report,
    satisfaction,
    section,
    unresolved,
)
from guardia.board.service_levels.days import NewDay
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep, is_fragment
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.text import FOLDED, CleanStr, Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
_Word = Annotated[str, Query(max_length=100), FOLDED]
_Field = Annotated[str, Form(max_length=100), FOLDED]
_PAGE = "/service-levels"


@router.get("/service-levels")
def show(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    month: _Word = "",
    institution: _Word = "",
) -> Response:
    """Show the report of a month, the targets and the business calendar."""
    page = partial(_page, request, board, visitor, month=month, institution=institution)
    return page()


@router.post("/service-levels/days")
def add_day(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    day: _Field = "",
    name: Annotated[CleanStr, Form(max_length=100)] = "",
    institution: _Field = "",
    kind: _Field = "closed",
) -> Response:
    """Add a day to the business calendar."""
    given = {"day": day, "name": name, "institution": institution, "kind": kind}

    def act() -> None:
        new = NewDay(days.parse_day(day), name, institution, kind == "open")
        days.add_day(board, visitor.person, new)

    again = partial(_page, request, board, visitor, form=given)
    return actions.submit_fields(request, act, on_success=f"{_PAGE}#days", on_refusal=again)


@router.post("/service-levels/days/remove")
def remove_day(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    day: _Field,
    institution: _Field = "",
) -> Response:
    """Remove a day that was added."""

    def act() -> None:
        days.remove_day(board, visitor.person, days.parse_day(day), institution)

    again = partial(_page, request, board, visitor)
    return actions.submit(request, act, on_success=f"{_PAGE}#days", on_refusal=again)


@router.get("/issues/{sr_id}/service")
def show_section(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number
) -> Response:
    """Show the section of an issue; a page that refreshes itself gets only the part."""
    return _section(request, board, visitor, sr_id)


@router.post("/issues/{sr_id}/satisfaction")
def rate(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    score: Annotated[int, Form(ge=0, le=9)] = 0,
    comment: Annotated[Reason, Form()] = "",
) -> Response:
    """Keep what the requester thinks of the resolution."""
    visibility.require_issue(board, visitor.person, sr_id)
    return actions.submit(
        request,
        lambda: satisfaction.rate(board, visitor.person, sr_id, score, comment),
        on_success=f"/issues/{sr_id}",
        on_refusal=partial(
            _section, request, board, visitor, sr_id, form={"score": score, "comment": comment}
        ),
    )


@router.post("/issues/{sr_id}/unresolved")
def report_unresolved(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """Reopen an ended request, or open another one for it."""
    visibility.require_issue(board, visitor.person, sr_id)
    return actions.submit(
        request,
        lambda: unresolved.report_unresolved(board, visitor.person, sr_id, reason),
        on_success=lambda followed: f"/issues/{followed.sr_id}",
        on_refusal=partial(_section, request, board, visitor, sr_id, form={"reason": reason}),
    )


def _section(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    sr_id: int,
    *,
    status: int = 200,
    notice: str = "",
    form: dict[str, object] | None = None,
) -> Response:
    return render.page(
        request,
        f"service_levels/{'section_live' if is_fragment(request) else 'section'}.html",
        status=status,
        visitor=visitor,
        service=section.read_section(board, visitor.person, sr_id),
        notice=notice,
        form=form or {},
    )


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    month: str = "",
    institution: str = "",
    form: dict[str, str] | None = None,
    status: int = 200,
    notice: str = "",
    field: str = "",
) -> Response:
    return render.page(
        request,
        "service_levels/service_levels.html",
        status=status,
        visitor=visitor,
        found=report.month_report(board, visitor.person, month, institution),
        calendar=calendar_view.read_calendar(board, visitor.person),
        institution=institution,
        form=form or {},
        notice="" if field else notice,
        errors={field: notice} if field else {},
    )
