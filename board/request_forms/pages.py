"""Pages of request forms: search, one form, and the form of an issue with its checklist."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool

from guardia.board.core.context import BoardContext
from guardia.board.issues import visibility
from guardia.board.request_forms import checklist, filing, revisions
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep, is_fragment
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import Invalid
from guardia.org.access import require_permission
from guardia.text import CLEANED, FOLDED, CleanStr

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
FormId = Annotated[str, Path(max_length=40), CLEANED]
_FIELDS = TypeAdapter(dict[str, CleanStr])
_PREFIX = "f-"
"""Before the names of the form's own fields, so that none hides `csrf`."""
_MOST_FIELDS = 60


@router.get("/requests/new")
def search(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    q: Annotated[str, Query(max_length=100), FOLDED] = "",
) -> Response:
    """Show the forms by group, or those that contain the words of a search."""
    require_permission(visitor.person, "issue.create")
    known = revisions.running_forms(board)
    found = known.search(q)
    groups = dict.fromkeys(form.group for form in found)
    return render.page(
        request,
        "request_forms/search.html",
        visitor=visitor,
        groups=[(group, [form for form in found if form.group == group]) for group in groups],
        query=q,
        total=len(known.forms),
    )


@router.get("/requests/new/{form_id}")
def show_form(
    request: Request, board: BoardDep, visitor: CurrentVisitor, form_id: FormId
) -> Response:
    """Show a form."""
    require_permission(visitor.person, "issue.create")
    return _form(request, board, visitor, form_id)


@router.post("/requests/new/{form_id}")
async def file_form(
    request: Request, board: BoardDep, visitor: CurrentVisitor, form_id: FormId
) -> Response:
    """File a request, or show the form again with the reason at each wrong field."""
    sent = await request.form(max_files=0, max_fields=_MOST_FIELDS)
    fields = _FIELDS.validate_python({k: v for k, v in sent.items() if isinstance(v, str)})
    given = {k.removeprefix(_PREFIX): v for k, v in fields.items() if k.startswith(_PREFIX)}
    ticket = fields.get("ticket", "")[:64]
    return await run_in_threadpool(_file, request, board, visitor, form_id, given, ticket)


def _file(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    form_id: str,
    given: dict[str, str],
    ticket: str,
) -> Response:
    try:
        number = filing.file_request(board, visitor.person, form_id, given, ticket)
    except Invalid:
        with render.use_visitor_language(request):
            problems = filing.check(board, visitor.person, form_id, given).problems
        return _form(
            request, board, visitor, form_id, given=given, problems=problems, ticket=ticket
        )
    return RedirectResponse(f"/issues/{number}", status_code=303)


def _form(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    form_id: str,
    *,
    given: dict[str, str] | None = None,
    problems: dict[str, str] | None = None,
    ticket: str = "",
) -> Response:
    form = filing.find_form(board, form_id)
    return render.page(
        request,
        "request_forms/form.html",
        status=422 if problems else 200,
        visitor=visitor,
        form=form,
        choices=filing.choices_for(board, visitor.person, form),
        given=given or {},
        problems=problems or {},
        first=next((one.id for one in form.fields if one.id in (problems or {})), ""),
        prefix=_PREFIX,
        ticket=ticket or secrets.token_urlsafe(12),
    )


@router.get("/issues/{sr_id}/form")
def show_issue_form(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number
) -> Response:
    """Show the form of an issue; a page that refreshes itself gets only the part."""
    return _issue_form(request, board, visitor, sr_id)


@router.post("/issues/{sr_id}/checklist/{number}")
def check_item(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    number: Annotated[int, Path(ge=0, le=99)],
    done: Annotated[bool, Form()] = False,
) -> Response:
    """Check an item of the checklist, or take it back."""
    visibility.require_issue(board, visitor.person, sr_id)
    return actions.submit(
        request,
        lambda: checklist.check_item(board, visitor.person, sr_id, number, is_done=done),
        on_success=f"/issues/{sr_id}#part-issue_form",
        on_refusal=partial(_issue_form, request, board, visitor, sr_id),
    )


def _issue_form(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    sr_id: int,
    *,
    status: int = 200,
    notice: str = "",
) -> Response:
    return render.page(
        request,
        f"request_forms/{'issue_form_live' if is_fragment(request) else 'issue_form'}.html",
        status=status,
        visitor=visitor,
        sr_id=sr_id,
        filled=checklist.read_form(board, visitor.person, sr_id),
        notice=notice,
    )
