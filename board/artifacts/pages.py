"""The page of artefacts: upload, list and remove."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from guardia.board.artifacts import records, view
from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

Cursor = Annotated[int | None, Query(ge=0, le=2**63 - 1)]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
_PAGE = 30


@router.get("/artifacts")
def show(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    before: Cursor = None,
    after: Cursor = None,
) -> Response:
    """Show one page of artefacts, newest first, and the form that uploads one."""
    return _page(request, board, visitor, Keyset(before, after, _PAGE))


@router.post("/artifacts/{number}/remove")
def remove(request: Request, board: BoardDep, visitor: CurrentVisitor, number: Number) -> Response:
    """Remove an artefact."""
    store = BlobStore.of(request.app.state.settings)

    def show_again(*, status: int, notice: str) -> Response:
        first = Keyset(size=_PAGE)
        return _page(request, board, visitor, first, status=status, notice=notice)

    return actions.submit(
        request,
        lambda: records.remove(board, store, visitor.person, number),
        on_success="/artifacts",
        on_refusal=show_again,
    )


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    page: Keyset,
    *,
    status: int = 200,
    notice: str = "",
) -> Response:
    return render.page(
        request,
        "artifacts/artifacts.html",
        status=status,
        visitor=visitor,
        listing=view.list_artifacts(board, visitor.person, page),
        notice=notice,
        most=request.app.state.settings.upload_megabytes,
    )
