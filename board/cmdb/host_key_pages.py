"""The page that confirms many host keys at once."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Request, Response, UploadFile

from guardia.board.cmdb import offered_keys
from guardia.board.cmdb.imports.decoding import ImportFile, decode
from guardia.board.core.context import BoardContext
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.text import CLEANED, MAX_REASON, TRIMMED, CleanStr

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

_PATH = "/host-keys"
_MAX_LIST = 4_000_000
_MAX_TICKED = 900
_MAX_SHOWN = 500
"""Keys on one page; after these are confirmed, the next ones follow."""


@router.get(_PATH)
def show(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show the keys that wait for confirmation."""
    return _page(request, board, visitor)


@router.post(f"{_PATH}/compare")
def compare(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    *,
    known: Annotated[str, Form(max_length=_MAX_LIST), CLEANED] = "",
    file: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Show the keys beside a pasted or uploaded list; what is the same is ticked."""
    uploaded = file.file.read(_MAX_LIST + 1) if file is not None and file.filename else b""
    if len(uploaded) > _MAX_LIST:
        raise Invalid(what=t("roster.keys.file"), why=t("imports.too_large", limit=4))
    text = decode(ImportFile("known_hosts", uploaded)) if uploaded else known
    return _page(request, board, visitor, known=text)


@router.post(_PATH)
def confirm(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    *,
    ticked: Annotated[list[CleanStr], Form(max_length=_MAX_TICKED)] = [],  # noqa: B006 - FastAPI copies
    reason: Annotated[str, Form(max_length=MAX_REASON), TRIMMED] = "",
) -> Response:
    """Pin the ticked keys. Each tick carries the server and the fingerprint that was shown."""
    pairs = (value.rpartition(" ") for value in ticked)
    keys = {server: seen for server, _, seen in pairs if server}
    again = partial(_page, request, board, visitor, ticked=frozenset(keys), reason=reason)
    return actions.submit(
        request,
        lambda: offered_keys.confirm(board, visitor.person, keys, reason),
        on_success=_PATH,
        on_refusal=again,
    )


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    known: str = "",
    ticked: frozenset[str] = frozenset(),
    reason: str = "",
    status: int = 200,
    notice: str = "",
) -> Response:
    found = offered_keys.offered(board, known)
    return render.page(
        request,
        "cmdb/host_keys.html",
        status=status,
        visitor=visitor,
        keys=found[:_MAX_SHOWN],
        total=len(found),
        others=sum(1 for key in found if key.match == "other"),
        waiting=offered_keys.count_unconfirmed(board),
        compared=bool(known),
        ticked=ticked or frozenset(k.server_id for k in found if k.match == "same"),
        reason=reason,
        notice=notice,
    )
