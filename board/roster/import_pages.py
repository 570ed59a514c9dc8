"""The page that imports tables of the duty roster: a dry run first, then all of it."""

from __future__ import annotations

import base64
import binascii
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Query, Request, Response, UploadFile

from guardia.board.cmdb import entries
from guardia.board.cmdb.imports.decoding import ImportFile
from guardia.board.cmdb.imports.export import records_as_csv
from guardia.board.core.context import BoardContext
from guardia.board.roster import uploads
from guardia.board.roster.fields import IMPORTED
from guardia.board.roster.uploads import MAX_BYTES, ImportReport
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import Invalid, UserError
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.text import CLEANED, FOLDED, TRIMMED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

PATH = "/roster/import"
_Word = Annotated[str, Query(max_length=40), FOLDED]
_Line = Annotated[str, Form(max_length=200), TRIMMED]
_Content = Annotated[str, Form(max_length=2 * MAX_BYTES), CLEANED]
_CSV = "text/csv; charset=utf-8"


@router.get(PATH)
def show(
    request: Request, board: BoardDep, visitor: CurrentVisitor, kind: _Word = "duty"
) -> Response:
    """Show the form that imports a table."""
    require_permission(visitor.person, "roster.edit")
    return _page(request, board, visitor, kind)


@router.get("/roster/export")
def export(board: BoardDep, visitor: CurrentVisitor, kind: _Word = "duty") -> Response:
    """Return all entries of a kind as CSV, with the columns of an import."""
    require_permission(visitor.person, "roster.read")
    if kind not in IMPORTED or kind == "absence":
        raise Invalid(what=kind[:40], why=t("roster.upload.kind"))
    text = records_as_csv(kind, entries.entries(board, kind))
    disposition = f'attachment; filename="{kind}.csv"'
    return Response(text, media_type=_CSV, headers={"Content-Disposition": disposition})


@router.post(f"{PATH}/check")
def check(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    *,
    kind: _Line = "",
    file: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Show what a file would change; nothing is written."""
    content = file.file.read(MAX_BYTES + 1) if file is not None and file.filename else b""
    given = ImportFile((file.filename or "")[:100] if file is not None else "", content)
    report: ImportReport | None = None
    try:
        report = uploads.check(board, visitor.person, kind, given)
    except UserError as error:
        if not _is_of_file(error):
            raise
        notice = str(error.detail.get("why", error))
        return _page(request, board, visitor, kind, status=422, notice=notice, field="file")
    return _page(request, board, visitor, kind, file=given, report=report)


def _is_of_file(error: UserError) -> bool:
    return isinstance(error, Invalid)


@router.post(PATH)
def carry_out(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    *,
    kind: _Line = "",
    name: _Line = "",
    content: _Content = "",
    seen: _Line = "",
    skip_bad: _Line = "",
) -> Response:
    """Import what the dry run has shown."""
    given = ImportFile(name, _decoded(content))

    def act() -> None:
        skip = bool(skip_bad)
        uploads.carry_out(board, visitor.person, kind, given, seen=seen, skip_bad=skip)

    again = partial(_page, request, board, visitor, kind)
    return actions.submit(request, act, on_success="/roster#changes-title", on_refusal=again)


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except (ValueError, binascii.Error):
        raise Invalid(what=t("roster.upload.file"), why=t("roster.upload.choose")) from None


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    kind: str,
    *,
    file: ImportFile | None = None,
    report: ImportReport | None = None,
    status: int = 200,
    notice: str = "",
    field: str = "",
) -> Response:
    return render.page(
        request,
        "roster/roster_import.html",
        status=status,
        visitor=visitor,
        kind=kind if kind in IMPORTED else "duty",
        kinds=IMPORTED,
        file_name=file.name if file else "",
        content=base64.b64encode(file.content).decode() if file else "",
        report=report,
        notice=notice,
        field=field,
    )
