"""The files of an issue, for those who may see it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from starlette.concurrency import run_in_threadpool

from guardia.board.artifacts import attachments, screening
from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, require_visitor
from guardia.errors import Invalid, NotFound
from guardia.i18n import t
from guardia.text import CLEANED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
_MEGABYTE = 1 << 20
_BEGINNING = 16


@router.put("/attachments/{sr_id}")
async def upload(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    file: Annotated[str, Query(max_length=255), CLEANED],
    content_type: Annotated[str, Header(max_length=200), CLEANED] = "",
) -> Response:
    """Attach the body to an issue; the answer is the Markdown that shows or links it."""
    settings = request.app.state.settings
    content = await _read(request, settings.attachment_megabytes)
    kept = await run_in_threadpool(
        attachments.attach,
        board,
        BlobStore.of(settings),
        visitor.person,
        sr_id,
        file,
        content_type,
        content,
    )
    path = f"/issues/{sr_id}/attachments/{kept.attachment_id}"
    words = kept.file_name.replace("[", "(").replace("]", ")")
    is_image = screening.image_type(content[:_BEGINNING]) is not None
    text = f"![{words}]({path}/image)" if is_image else f"[{words}]({path})"
    return JSONResponse({"markdown": text, "number": kept.attachment_id}, status_code=201)


async def _read(request: Request, megabytes: int) -> bytes:
    """Return the body. Raises `Invalid` beyond the limit."""
    kept = bytearray()
    async for piece in request.stream():
        kept += piece
        if len(kept) > megabytes * _MEGABYTE:
            why = t("artifacts.attachment_too_large", most=megabytes)
            raise Invalid(what=t("artifacts.attachment"), why=why)
    return bytes(kept)


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


@router.get("/issues/{sr_id}/attachments/{attachment_id}/image")
def show_image(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number, attachment_id: Number
) -> Response:
    """Return a picture to show on a page: by its first bytes alone."""
    store = BlobStore.of(request.app.state.settings)
    _name, path = attachments.find_file(board, store, visitor.person, sr_id, attachment_id)
    with path.open("rb") as file:
        kind = screening.image_type(file.read(_BEGINNING))
    if kind is None:
        raise NotFound(what=t("artifacts.attachment"))
    return FileResponse(
        path,
        media_type=kind,
        headers={
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Content-Disposition": "inline",
            "Cache-Control": "private, max-age=86400",
        },
    )
