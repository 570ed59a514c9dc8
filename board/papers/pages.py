"""Pages of papers: those of an issue, the reports, and each paper for the printer or as a file."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.papers import choices, issuing
from guardia.board.papers.issuing import PaperRequest
from guardia.board.papers.paper import PaperKind
from guardia.board.web import render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.org.access import is_allowed, require_permission
from guardia.text import CLEANED, FOLDED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
IssuePaper = Literal["work_plan", "work_result", "incident"]
Form = Annotated[Literal["print", "hwpx", "xlsx"], Query(alias="format")]
Place = Annotated[str, Query(max_length=100), FOLDED]
Month = Annotated[str, Query(max_length=10), CLEANED]
REPORTS = "/reports"


@router.get("/issues/{sr_id}/papers")
def list_papers(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number
) -> Response:
    """Show the papers that there are of an issue."""
    return render.page(
        request,
        "papers/issue_papers.html",
        visitor=visitor,
        sr_id=sr_id,
        kinds=issuing.list_kinds(board, visitor.person, sr_id),
        all_kinds=issuing.ISSUE_KINDS,
    )


@router.get("/issues/{sr_id}/papers/{kind}")
def issue_paper(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    kind: IssuePaper,
    form: Form = "print",
) -> Response:
    """Show a paper of an issue for the printer, or return it as a file."""
    wanted = PaperRequest(kind, sr_id=sr_id)
    return _answer(request, board, visitor, wanted, form, f"/issues/{sr_id}/papers")


@router.get(REPORTS)
def reports(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    institution: Place = "",
    month: Month = "",
) -> Response:
    """Show the choice of monthly reports and checklists."""
    require_permission(visitor.person, "service.read")
    return render.page(
        request,
        "papers/reports.html",
        visitor=visitor,
        offered=choices.read_choices(board, institution, month),
        can_edit=is_allowed(visitor.person, "paper.edit"),
    )


@router.get("/reports/month")
def month_report(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    institution: Place = "",
    month: Month = "",
    form: Form = "print",
) -> Response:
    """Show the monthly report of an institution for the printer, or return it as a file."""
    wanted = PaperRequest("month", institution=institution, month=month)
    back = f"{REPORTS}?institution={quote(institution)}&month={quote(month)}"
    return _answer(request, board, visitor, wanted, form, back)


@router.get("/reports/inspection")
def inspection(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    server: Place = "",
    month: Month = "",
    form: Form = "print",
) -> Response:
    """Show the checklist of a server for the printer, or return it as a file."""
    wanted = PaperRequest("inspection", server=server, month=month)
    return _answer(request, board, visitor, wanted, form, f"{REPORTS}?month={quote(month)}")


def _answer(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    wanted: PaperRequest,
    form: Literal["print", "hwpx", "xlsx"],
    back: str,
) -> Response:
    actor = Actor.of(visitor.person)
    if form != "print":
        file = issuing.issue_file(board, visitor.person, actor, wanted, form)
        headers = {"Content-Disposition": disposition(file.name, wanted.kind, form)}
        return Response(file.content, media_type=file.media_type, headers=headers)
    paper = issuing.make_paper(board, visitor.person, wanted)
    issuing.record(board, actor, wanted, "html")
    return render.page(
        request, "papers/print.html", visitor=visitor, paper=paper, css="", back=back
    )


def disposition(name: str, kind: PaperKind, ending: str) -> str:
    """Return the header that names a file, for old browsers in ASCII."""
    return f"attachment; filename=\"{kind}.{ending}\"; filename*=UTF-8''{quote(name, safe='')}"
