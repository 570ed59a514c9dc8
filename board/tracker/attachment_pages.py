"""The files of an issue, for those who may see it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import FileResponse

from guardia.board.artifacts import attachments
from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.web.session import BoardDep, CurrentVisitor, current_visitor

router = APIRouter(include_in_schema=False, dependencies=[Depends(current_visitor)])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("/issues/{sr_id}/attachments/{attachment_id}")
def download(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number, attachment_id: Number
) -> Response:
    """Return a file as a download: a browser never shows it, under any name or type."""
    store = BlobStore.of(request.app.state.settings)
    name, path = attachments.find_file(board, store, visitor.person, sr_id, attachment_id)
    return FileResponse(
        path,
        filename=name,
        media_type="application/octet-stream",
        headers={"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"},
    )
