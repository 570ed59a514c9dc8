"""Pages of one's own password and sessions."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from guardia.addresses import source_of
from guardia.board.accounts import pages, passwords, sessions, sign_in
from guardia.board.core.context import BoardContext
from guardia.board.web import actions, render, session
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org.account_policy import PASSWORD_CHANGE

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

PATH = f"{pages.PATH}/password"
_Secret = Annotated[str, Form(max_length=256)]
_Number = Annotated[int, Form(ge=1, le=2**63 - 1)]


@router.get(PATH)
def show(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show the form for a new password."""
    return _page(request, board, visitor)


@router.post(PATH)
def change(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    present: _Secret = "",
    password: _Secret = "",
    again: _Secret = "",
) -> Response:
    """Change the password; the visitor signs in again with it."""

    def act() -> None:
        if password != again:
            what = t("board.person.password")
            raise Invalid(what=what, why=t("accounts.password.differs"), field="again")
        source = source_of(request.client.host) if request.client else "-"
        device = session.device_secret(request)
        attempt = sign_in.begin(board, visitor.person.id, source, device)
        passwords.change_own(board, visitor.person, present, password)
        sign_in.forget(board, attempt)

    answer = actions.submit_fields(
        request,
        act,
        on_success="/login?changed=1",
        on_refusal=partial(_page, request, board, visitor),
    )
    if isinstance(answer, RedirectResponse):
        session.clear_session_cookie(answer)
    return answer


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    status: int = 200,
    notice: str = "",
    field: str = "",
) -> Response:
    return render.page(
        request,
        "accounts/password.html",
        status=status,
        visitor=visitor,
        needed=visitor.person.allowed_actions == PASSWORD_CHANGE,
        policy=board.accounts,
        notice=notice,
        field=field,
    )


@router.post(f"{pages.PATH}/sessions/end")
def end_session(
    request: Request, board: BoardDep, visitor: CurrentVisitor, number: _Number
) -> Response:
    """End another of the visitor's own sessions."""
    return actions.submit(
        request,
        lambda: sessions.end(board, visitor.person, number),
        on_success=pages.PATH,
        on_refusal=partial(pages.render_page, request, board, visitor),
    )
