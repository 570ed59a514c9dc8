"""Delegations and absences on the pages: one's own, those one was given, and everybody's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from guardia.board.approvals import delegations, requests
from guardia.board.core.context import Desk
from guardia.board.web import errors, render
from guardia.board.web.session import AtDesk, Here, Visitor, visitor
from guardia.errors import Invalid, Missing
from guardia.i18n import t

router = APIRouter(include_in_schema=False, dependencies=[Depends(visitor)])

_PATH = "/delegations"
_Id = Annotated[str, Form(max_length=64)]
_Moment = Annotated[str, Form(max_length=32)]
_MAX = 2**63 - 1


@router.get(_PATH)
def show(request: Request, desk: AtDesk, here: Here) -> Response:
    """What is delegated now and later, and the form for more."""
    return _page(request, desk, here)


@router.post(_PATH)
def give(
    request: Request,
    desk: AtDesk,
    here: Here,
    *,
    to: _Id = "",
    until: _Moment = "",
    begins: _Moment = "",
    principal: _Id = "",
    absent: Annotated[bool, Form()] = False,
) -> Response:
    """Delegate for a time, one's own decisions or, as an administrator, another's."""

    def act() -> None:
        with desk.database.reading() as session:
            zone = requests.zone(session)
        ends = _moment(until, zone)
        if ends is None:
            raise Missing(what=t("web.delegation.until"))
        delegations.delegate(
            desk,
            here.person,
            to,
            begins=_moment(begins, zone),
            ends=ends,
            principal=principal or None,
            absent=absent,
        )

    return _done(request, desk, here, act)


@router.post(f"{_PATH}/end")
def end(
    request: Request,
    desk: AtDesk,
    here: Here,
    number: Annotated[int, Form(ge=1, le=_MAX)],
) -> Response:
    """End one."""
    return _done(request, desk, here, lambda: delegations.end(desk, here.person, number))


def _moment(given: str, zone: tzinfo) -> datetime | None:
    if not given.strip():
        return None
    try:
        found = datetime.fromisoformat(given.strip())
    except ValueError:
        raise Invalid(what=given, why=t("cli.delegate.format")) from None
    return found if found.tzinfo else found.replace(tzinfo=zone)


def _done(request: Request, desk: Desk, here: Visitor, act: Callable[[], None]) -> Response:
    return errors.attempt(request, act, _PATH, partial(_page, request, desk, here))


def _page(
    request: Request, desk: Desk, here: Visitor, *, status: int = 200, notice: str = ""
) -> Response:
    view = delegations.overview(desk, here.person)
    return render.page(
        request, "approvals/delegations.html", status=status, visitor=here, view=view, notice=notice
    )
