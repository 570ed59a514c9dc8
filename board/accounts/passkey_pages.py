"""Routes of the account page about passkeys: register, rename, remove."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import JSONResponse

from guardia.board.accounts import pages, sign_in
from guardia.board.core.context import BoardContext
from guardia.board.passkeys import credentials, registration
from guardia.board.passkeys.answers import parse_answer
from guardia.board.passkeys.relying_party import relying_party
from guardia.board.web import actions
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import PasskeyRejected
from guardia.i18n import t
from guardia.text import CLEANED, TRIMMED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

PATH = f"{pages.PATH}/passkeys"
_Name = Annotated[str, Form(max_length=80), TRIMMED]
_Number = Annotated[int, Form(ge=1, le=2**63 - 1)]


@router.post(f"{PATH}/options")
def begin(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    password: Annotated[str, Form(max_length=256)] = "",
) -> Response:
    """Return the options with which the browser makes a passkey, after a fresh sign-in."""
    rp = relying_party(request.app.state.settings)
    if not pages.is_fresh(board, visitor):
        _require_password(request, board, visitor, password)
    return JSONResponse(registration.begin(board, rp, visitor.person))


def _require_password(
    request: Request, board: BoardContext, visitor: Visitor, password: str
) -> None:
    source = request.client.host if request.client else "-"
    if not password or not sign_in.authenticate(board, visitor.person.id, password, source):
        raise PasskeyRejected(why=t("passkeys.why.not_fresh"))


@router.post(PATH)
def register(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    credential: Annotated[str, Form(max_length=20_000), CLEANED],
    name: _Name = "",
) -> Response:
    """Register the passkey that the browser made."""
    rp = relying_party(request.app.state.settings)
    answer: dict[str, Any] = parse_answer(credential)
    registration.finish(board, rp, visitor.person, name, answer)
    return JSONResponse({"location": f"{pages.PATH}#passkeys"})


@router.post(f"{PATH}/rename")
def rename(
    request: Request, board: BoardDep, visitor: CurrentVisitor, number: _Number, name: _Name = ""
) -> Response:
    """Rename an own passkey."""
    return actions.submit(
        request,
        lambda: credentials.rename(board, visitor.person, number, name),
        on_success=pages.PATH,
        on_refusal=lambda **words: pages.render_page(request, board, visitor, **words),
    )


@router.post(f"{PATH}/remove")
def remove(request: Request, board: BoardDep, visitor: CurrentVisitor, number: _Number) -> Response:
    """Remove an own passkey, or as an administrator a lost one of another person."""
    return actions.submit(
        request,
        lambda: credentials.remove(board, visitor.person, number),
        on_success=pages.PATH,
        on_refusal=lambda **words: pages.render_page(request, board, visitor, **words),
    )
