"""The page on which people ask the documents."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from guardia.board.core.context import BoardContext
from guardia.board.search import opening, questions, view
from guardia.board.search.questions import MOST_CHARACTERS
from guardia.board.search.view import AnswerView
from guardia.board.web import render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.text import CLEANED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

_Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
_SECONDS = 2.0
"""Seconds for which a page waits; then it looks again by itself."""


@router.get("/search/documents")
def search(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    q: Annotated[str, Query(max_length=MOST_CHARACTERS), CLEANED] = "",
) -> Response:
    """Show the search; with `q` the passages that answer it."""
    if not q.strip():
        return _page(request, visitor, "")
    if not questions.has_worker(board):
        return _page(request, visitor, q, is_served=False)
    number = questions.ask(board, visitor.person, q)
    questions.wait(board, number, _SECONDS)
    return _answer(request, board, visitor, number)


@router.get("/search/passages/{passage_id}")
def open_passage(board: BoardDep, visitor: CurrentVisitor, passage_id: _Number) -> Response:
    """Lead to a passage that was found or is related, and count that it was opened."""
    return RedirectResponse(
        opening.open_passage(board, visitor.person, passage_id), status_code=303
    )


@router.get("/search/documents/{number}")
def show(request: Request, board: BoardDep, visitor: CurrentVisitor, number: _Number) -> Response:
    """Show the answer to an own question."""
    return _answer(request, board, visitor, number)


def _answer(request: Request, board: BoardContext, visitor: Visitor, number: int) -> Response:
    found = view.get_answer(board, visitor.person, number)
    served = found.is_over or questions.has_worker(board)
    return _page(request, visitor, found.question, found, is_served=served)


def _page(
    request: Request,
    visitor: Visitor,
    words: str,
    found: AnswerView | None = None,
    *,
    is_served: bool = True,
) -> Response:
    return render.page(
        request,
        "search/search.html",
        visitor=visitor,
        words=words,
        found=found,
        is_served=is_served,
    )
