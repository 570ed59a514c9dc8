"""Pages of webhooks: the list, one webhook with its log, and their forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, StringConstraints

from guardia.board.cmdb import view as cmdb_view
from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.board.webhooks import hooks, policy, view
from guardia.board.webhooks.hooks import HookDraft
from guardia.org.access import is_allowed
from guardia.org.credential_store import FileCredentialStore
from guardia.text import TRIMMED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

PATH = "/webhooks"
ONE = PATH + "/{hook_id}"
_PAGE = 20
_Field = Annotated[str, StringConstraints(max_length=500), TRIMMED]
_Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
_Before = Annotated[int | None, Query(ge=1, le=2**63 - 1)]


class HookForm(BaseModel):
    """The form of a webhook."""

    csrf: _Field = ""
    url: _Field = ""
    events: list[_Field] = []
    content_type: _Field = "json"
    institution: _Field = ""
    secret: _Field = ""
    active: _Field = ""

    def draft(self, *, active: bool) -> HookDraft:
        """Return what the webhook shall be."""
        return HookDraft(
            url=self.url,
            events=self.events,
            content_type=self.content_type,
            institution=self.institution or None,
            active=active,
            secret=self.secret,
        )


_NewForm = Annotated[HookForm, Form()]


@router.get(PATH)
def show_list(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show all webhooks, and with the permission the form for another."""
    return _list_page(request, board, visitor)


@router.post(PATH)
def create(request: Request, board: BoardDep, visitor: CurrentVisitor, form: _NewForm) -> Response:
    """Create a webhook."""
    made: list[int] = []

    def act() -> None:
        keys = FileCredentialStore(request.app.state.settings.secrets)
        made.append(hooks.create(board, keys, visitor.person, form.draft(active=True))[0])

    answer = actions.submit(
        request,
        act,
        on_success=PATH,
        on_refusal=lambda **shown: _list_page(request, board, visitor, form=form, **shown),
    )
    return RedirectResponse(f"{PATH}/{made[0]}", status_code=303) if made else answer


@router.get(ONE)
def show(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    hook_id: _Number,
    before: _Before = None,
    delivery: _Before = None,
) -> Response:
    """Show a webhook and its deliveries, one of them in full if it is named."""
    return _page(request, board, visitor, hook_id, before=before, delivery=delivery)


@router.post(f"{ONE}/edit")
def edit(
    request: Request, board: BoardDep, visitor: CurrentVisitor, hook_id: _Number, form: _NewForm
) -> Response:
    """Change a webhook; an empty address or secret stays as it is."""
    keys = FileCredentialStore(request.app.state.settings.secrets)

    def act() -> None:
        row = view.get_hook(board, visitor.person, hook_id)
        unchanged = form.url in {"", policy.shown_url(row.url)}
        form.url = row.url if unchanged else form.url
        hooks.change(board, keys, visitor.person, hook_id, form.draft(active=bool(form.active)))

    return _submit(request, board, visitor, hook_id, act)


@router.post(f"{ONE}/remove")
def remove(
    request: Request, board: BoardDep, visitor: CurrentVisitor, hook_id: _Number
) -> Response:
    """Remove a webhook with its log."""
    keys = FileCredentialStore(request.app.state.settings.secrets)
    return actions.submit(
        request,
        lambda: hooks.remove(board, keys, visitor.person, hook_id),
        on_success=PATH,
        on_refusal=lambda **shown: _list_page(request, board, visitor, **shown),
    )


@router.post(f"{ONE}/ping")
def ping(request: Request, board: BoardDep, visitor: CurrentVisitor, hook_id: _Number) -> Response:
    """Send a `ping`."""
    return _submit(
        request, board, visitor, hook_id, lambda: hooks.ping(board, visitor.person, hook_id)
    )


@router.post(ONE + "/deliveries/{delivery_id}/again")
def redeliver(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    hook_id: _Number,
    delivery_id: _Number,
) -> Response:
    """Send a delivery again."""
    return _submit(
        request,
        board,
        visitor,
        hook_id,
        lambda: hooks.redeliver(board, visitor.person, hook_id, delivery_id),
    )


def _submit(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    hook_id: int,
    act: Callable[[], object],
) -> Response:
    return actions.submit(
        request,
        act,
        on_success=f"{PATH}/{hook_id}",
        on_refusal=lambda **shown: _page(request, board, visitor, hook_id, **shown),
    )


def _list_page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    status: int = 200,
    notice: str = "",
    form: HookForm | None = None,
) -> Response:
    return render.page(
        request,
        "webhooks/list.html",
        status=status,
        visitor=visitor,
        notice=notice,
        hooks=view.list_hooks(board, visitor.person),
        form=form or HookForm(events=["issues"]),
        **_choices(board, visitor),
    )


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    hook_id: int,
    *,
    status: int = 200,
    notice: str = "",
    before: int | None = None,
    delivery: int | None = None,
) -> Response:
    hook = view.get_hook(board, visitor.person, hook_id)
    page = Keyset(before=before, size=_PAGE)
    opened = (
        view.get_delivery(board, visitor.person, hook_id, delivery)
        if delivery is not None
        else None
    )
    return render.page(
        request,
        "webhooks/hook.html",
        status=status,
        visitor=visitor,
        notice=notice,
        hook=hook,
        log=view.list_deliveries(board, visitor.person, hook_id, page),
        opened=opened,
        **_choices(board, visitor),
    )


def _choices(board: BoardContext, visitor: Visitor) -> dict[str, object]:
    return {
        "may_edit": is_allowed(visitor.person, hooks.EDIT),
        "all_events": (*policy.EVENTS, policy.ALL_EVENTS),
        "content_types": policy.CONTENT_TYPES,
        "institutions": cmdb_view.systems(board).institutions,
        "shown_url": policy.shown_url,
    }
