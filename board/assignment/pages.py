"""Pages of unassigned issues, and the forms on an issue's page that give it to someone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response

from guardia.board.assignment import issue_section, proposals, questions, queue, reports, view
from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset
from guardia.board.issues import visibility
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep, is_fragment
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.text import CLEANED, FOLDED, Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

_MAX = 2**63 - 1
Cursor = Annotated[int | None, Query(ge=0, le=_MAX)]
Number = Annotated[int, Path(ge=1, le=_MAX)]
_PAGE = 25


@router.get("/queue")
def show_queue(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    before: Cursor = None,
    after: Cursor = None,
    days: Annotated[int, Query(ge=1, le=view.MAX_DAYS)] = view.FIT_DAYS,
) -> Response:
    """Show one page of unassigned issues, what waits for the visitor, and how proposals went."""
    return _page(request, board, visitor, Keyset(before, after, _PAGE), days=days)


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    page: Keyset,
    *,
    days: int = view.FIT_DAYS,
    status: int = 200,
    notice: str = "",
) -> Response:
    return render.page(
        request,
        "assignment/queue.html",
        status=status,
        visitor=visitor,
        listing=view.list_queue(board, visitor.person, page),
        mine=view.my_proposals(board, visitor.person),
        fit=view.fit_report(board, days),
        days=days,
        notice=notice,
    )


@router.get("/issues/{sr_id}/who")
def show_who(request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number) -> Response:
    """Show who has an issue and why; a page that refreshes itself gets only the part."""
    return _who(request, board, visitor, sr_id)


def _who(
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
        "assignment/who_live.html" if is_fragment(request) else "assignment/who.html",
        status=status,
        visitor=visitor,
        who=issue_section.read_section(board, visitor.person, sr_id),
        notice=notice,
    )


@router.post("/issues/{sr_id}/assignment")
def assign(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    act: Annotated[Literal["take", "assign"], Form()],
    target: Annotated[str, Form(max_length=64), FOLDED] = "",
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """Take an issue, or assign it to a person or team."""
    visibility.require_issue(board, visitor.person, sr_id)
    person = visitor.person
    wanted = person.id if act == "take" else target

    def give() -> object:
        return queue.assign(board, person, sr_id, wanted, reason)

    return _submit(request, board, visitor, sr_id, give)


@router.post("/issues/{sr_id}/proposals/{number}")
def answer_proposal(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    number: Number,
    verdict: Annotated[Literal["accept", "decline"], Form()],
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """Accept or decline a proposal."""
    visibility.require_issue(board, visitor.person, sr_id)

    def act() -> object:
        if verdict == "accept":
            return proposals.accept(board, visitor.person, number)
        return proposals.decline(board, visitor.person, number, reason)

    return _submit(request, board, visitor, sr_id, act)


@router.post("/issues/{sr_id}/answer")
def answer_question(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    text: Annotated[str, Form(max_length=200), CLEANED] = "",
) -> Response:
    """Answer the question which server is meant."""
    visibility.require_issue(board, visitor.person, sr_id)
    return _submit(
        request, board, visitor, sr_id, lambda: questions.answer(board, visitor.person, sr_id, text)
    )


@router.post("/issues/{sr_id}/report")
def change_link(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    main: Annotated[int, Form(ge=0, le=_MAX)] = 0,
) -> Response:
    """Link an issue to another one as a report, or undo its link (`main` is 0)."""
    visibility.require_issue(board, visitor.person, sr_id)

    def act() -> None:
        if main:
            reports.link(board, visitor.person, sr_id, main)
        else:
            reports.unlink(board, visitor.person, sr_id)

    return _submit(request, board, visitor, sr_id, act)


def _submit(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    sr_id: int,
    act: Callable[[], object],
) -> Response:
    def show_again(*, status: int, notice: str) -> Response:
        return _who(request, board, visitor, sr_id, status=status, notice=notice)

    return actions.submit(request, act, on_success=f"/issues/{sr_id}", on_refusal=show_again)
