"""The page of notices: a person's own, their settings, emergency calls, and the log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from pydantic import BaseModel, StringConstraints

from guardia.board.cmdb import responsibility_view
from guardia.board.core.context import BoardContext
from guardia.board.notifications import delivery_view, inbox, on_call
from guardia.board.notifications.policy import Preference
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.org.access import is_allowed
from guardia.text import TRIMMED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

PATH = "/notifications"
_Field = Annotated[str, StringConstraints(max_length=200), TRIMMED]
_Before = Annotated[int | None, Query(ge=1, le=2**63 - 1)]
_State = Annotated[str, Query(max_length=20), TRIMMED]


class SettingsForm(BaseModel):
    """The form of the settings."""

    csrf: _Field = ""
    phone: _Field = ""
    mail: _Field = ""
    own_media: _Field = ""
    media: list[_Field] = []
    quiet_from: _Field = ""
    quiet_until: _Field = ""
    digest_minutes: _Field = ""


@router.get(PATH)
def show(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    before: _Before = None,
    log_before: _Before = None,
    state: _State = "",
) -> Response:
    """Show the visitor's notices and settings; with the permission, calls and the log."""
    return _page(request, board, visitor, before=before, log_before=log_before, state=state)


@router.post(f"{PATH}/read")
def read(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Mark all notices as read."""
    return actions.submit(
        request,
        lambda: inbox.mark_read(board, visitor.person),
        on_success=PATH,
        on_refusal=lambda **shown: _page(request, board, visitor, **shown),
    )


@router.post(f"{PATH}/settings")
def settings(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    form: Annotated[SettingsForm, Form()],
) -> Response:
    """Store how the visitor is to be notified."""
    wanted = Preference(
        phone=form.phone,
        mail=form.mail,
        media=tuple(form.media) if form.own_media else None,
        quiet_from=form.quiet_from,
        quiet_until=form.quiet_until,
        digest_minutes=_minutes(form.digest_minutes),
    )
    return actions.submit(
        request,
        lambda: inbox.set_preference(board, visitor.person, wanted),
        on_success=PATH,
        on_refusal=lambda **shown: _page(request, board, visitor, **shown),
    )


def _minutes(text: str) -> int | None:
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() else -1


@router.post(PATH + "/calls/{on_call_id}")
def acknowledge(
    request: Request, board: BoardDep, visitor: CurrentVisitor, on_call_id: int
) -> Response:
    """Acknowledge an emergency call."""
    return actions.submit(
        request,
        lambda: on_call.acknowledge(board, visitor.person, on_call_id),
        on_success=PATH,
        on_refusal=lambda **shown: _page(request, board, visitor, **shown),
    )


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    status: int = 200,
    notice: str = "",
    before: int | None = None,
    log_before: int | None = None,
    state: str = "",
) -> Response:
    may_read_log = is_allowed(visitor.person, "notice.read")
    return render.page(
        request,
        "notifications/notifications.html",
        status=status,
        visitor=visitor,
        notice=notice,
        inbox=inbox.inbox(board, visitor.person, before),
        preference=inbox.preference_of(board, visitor.person.id),
        media=inbox.MEDIA,
        alarms=inbox.alarms(board, visitor.person),
        log=delivery_view.deliveries(board, state=state, before=log_before)
        if may_read_log
        else None,
        state=state,
        states=delivery_view.STATES,
        names=responsibility_view.names(board) if is_allowed(visitor.person, "roster.read") else {},
    )
