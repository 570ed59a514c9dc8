"""Routes of webhooks, as GitHub has them below a repository."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field, StringConstraints

from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset
from guardia.board.github_api.addresses import Addresses
from guardia.board.github_api.conditional import ConditionalRoute
from guardia.board.github_api.paging import links
from guardia.board.github_api.repositories import Repository
from guardia.board.github_api.requests import (
    MOST,
    AddressesDep,
    Identifier,
    PageDep,
    RepositoryDep,
    set_links,
)
from guardia.board.github_api.shapes import Time
from guardia.board.web.caller import BoardDep, Caller
from guardia.board.webhooks import hooks, payloads, view
from guardia.board.webhooks.hooks import HookDraft
from guardia.board.webhooks.model import Webhook, WebhookDelivery
from guardia.errors import Invalid, NotFound
from guardia.org.credential_store import FileCredentialStore
from guardia.org.directory import PersonInfo
from guardia.settings import Settings
from guardia.text import CLEANED

HOOKS = "/repos/{owner}/{repo}/hooks"
ONE = HOOKS + "/{hook_id}"
DELIVERIES = ONE + "/deliveries"
router = APIRouter(prefix="/api/v3", tags=["webhooks"], route_class=ConditionalRoute)
_Text = Annotated[str, StringConstraints(max_length=500), CLEANED]
_Events = Annotated[list[_Text], Field(max_length=20)]


class HookConfig(BaseModel):
    """Where a webhook sends to, and how."""

    url: _Text = ""
    content_type: _Text = "form"
    secret: _Text = ""
    insecure_ssl: _Text | int = "0"


class NewHook(BaseModel):
    """A webhook to create."""

    name: _Text = "web"
    config: HookConfig
    events: _Events = ["issues"]
    active: bool = True


class HookChange(BaseModel):
    """What to change of a webhook."""

    config: HookConfig | None = None
    events: _Events | None = None
    add_events: _Events = []
    remove_events: _Events = []
    active: bool | None = None


class HookConfigBody(BaseModel):
    """Where a webhook sends to; the secret and what a query may hold are masked."""

    url: str
    content_type: str
    insecure_ssl: str
    secret: str


class HookBody(BaseModel):
    """A webhook."""

    type: str
    id: int
    name: str
    active: bool
    events: list[str]
    config: HookConfigBody
    created_at: Time
    updated_at: Time
    url: str
    test_url: str
    ping_url: str
    deliveries_url: str
    last_response: dict[str, Any] = {}


class DeliveryBody(BaseModel):
    """A delivery in a list."""

    id: int
    guid: str
    delivered_at: datetime
    redelivery: bool
    duration: float
    status: str
    status_code: int
    event: str
    action: str | None
    installation_id: None = None
    repository_id: None = None
    throttled_at: None = None


class WholeDeliveryBody(DeliveryBody):
    """A delivery with what was sent and what was answered."""

    url: str
    request: dict[str, Any]
    response: dict[str, Any]


def _keys(request: Request) -> FileCredentialStore:
    settings: Settings = request.app.state.settings
    return FileCredentialStore(settings.secrets)


@router.get(HOOKS, summary="Webhooks of a repository")
def list_hooks(
    *,
    request: Request,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    page: PageDep,
) -> list[HookBody]:
    """Return one page of the webhooks of exactly this repository."""
    found = [one for one in view.list_hooks(board, caller) if _is_of(one, repository)]
    rows = page.cut(found)
    has_more = page.offset + len(rows) < len(found)
    set_links(request, response, page, has_more=has_more, total=len(found))
    return [_body(addresses, one) for one in rows]


@router.post(HOOKS, summary="Create a webhook", status_code=201)
def create_hook(
    *,
    request: Request,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    body: NewHook,
) -> HookBody:
    """Create a webhook and send it a `ping`."""
    _require_verified(body.config)
    draft = HookDraft(
        url=body.config.url,
        events=body.events,
        content_type=body.config.content_type,
        institution=repository.institution,
        server=repository.server,
        active=body.active,
        secret=body.config.secret,
    )
    number, _ = hooks.create(board, _keys(request), caller, draft)
    made = _body(addresses, view.get_hook(board, caller, number))
    response.headers["location"] = made.url
    return made


@router.get(ONE, summary="One webhook")
def get_hook(
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    hook_id: Identifier,
) -> HookBody:
    """Return a webhook, without its secret."""
    return _body(addresses, _find(board, caller, repository, hook_id))


@router.patch(ONE, summary="Change a webhook")
def change_hook(
    *,
    request: Request,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    hook_id: Identifier,
    body: HookChange,
) -> HookBody:
    """Change a webhook; one that was disabled is active again with `active`."""
    row = _find(board, caller, repository, hook_id)
    config = body.config or HookConfig(content_type=row.content_type)
    _require_verified(config)
    events = [*(row.events if body.events is None else body.events), *body.add_events]
    draft = HookDraft(
        url=config.url or row.url,
        events=[name for name in events if name not in body.remove_events],
        content_type=config.content_type,
        institution=row.inst_id,
        server=row.server_id,
        active=row.active if body.active is None else body.active,
        secret=config.secret,
    )
    hooks.change(board, _keys(request), caller, hook_id, draft)
    return _body(addresses, view.get_hook(board, caller, hook_id))


@router.delete(ONE, summary="Remove a webhook", status_code=204)
def delete_hook(
    request: Request,
    board: BoardDep,
    caller: Caller,
    repository: RepositoryDep,
    hook_id: Identifier,
) -> None:
    """Remove a webhook with its log."""
    _find(board, caller, repository, hook_id)
    hooks.remove(board, _keys(request), caller, hook_id)


@router.post(f"{ONE}/pings", summary="Send a ping", status_code=204)
@router.post(f"{ONE}/tests", summary="Send a test", status_code=204)
def ping_hook(
    board: BoardDep, caller: Caller, repository: RepositoryDep, hook_id: Identifier
) -> None:
    """Send a `ping` to a webhook."""
    _find(board, caller, repository, hook_id)
    hooks.ping(board, caller, hook_id)


@router.get(DELIVERIES, summary="Deliveries of a webhook")
def list_deliveries(
    *,
    request: Request,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    hook_id: Identifier,
    page: PageDep,
    cursor: Annotated[int | None, Query(ge=1, le=MOST)] = None,
) -> list[DeliveryBody]:
    """Return one page of deliveries, the newest first; `Link` leads on with `cursor`."""
    _find(board, caller, repository, hook_id)
    found = view.list_deliveries(board, caller, hook_id, Keyset(before=cursor, size=page.size))
    if found.older is not None:
        kept = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"]
        address = f"{addresses.origin}{request.url.path}"
        response.headers["link"] = links(
            address, [*kept, ("cursor", str(found.older))], page, has_more=True
        )
    return [DeliveryBody(**_fields(one)) for one in found.rows]


@router.get(f"{DELIVERIES}/{{delivery_id}}", summary="One delivery")
def get_delivery(
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    hook_id: Identifier,
    delivery_id: Identifier,
) -> WholeDeliveryBody:
    """Return what was sent and answered: the answer is cut, and secrets are masked."""
    hook = _find(board, caller, repository, hook_id)
    row = view.get_delivery(board, caller, hook_id, delivery_id)
    return WholeDeliveryBody(
        **_fields(row),
        url=_body(addresses, hook).config.url,
        request={"headers": row.request.get("headers", {}), "payload": row.request.get("body")},
        response={"headers": row.response.get("headers", {}), "payload": row.response.get("body")},
    )


@router.post(f"{DELIVERIES}/{{delivery_id}}/attempts", summary="Deliver again", status_code=202)
def redeliver(
    board: BoardDep,
    caller: Caller,
    repository: RepositoryDep,
    hook_id: Identifier,
    delivery_id: Identifier,
) -> dict[str, Any]:
    """Send a delivery again, with the same content and `X-GitHub-Delivery`."""
    _find(board, caller, repository, hook_id)
    hooks.redeliver(board, caller, hook_id, delivery_id)
    return {}


def _find(board: BoardContext, caller: PersonInfo, repository: Repository, hook_id: int) -> Webhook:
    row = view.get_hook(board, caller, hook_id)
    if not _is_of(row, repository):
        raise NotFound(what=f"webhook {hook_id}")
    return row


def _is_of(row: Webhook, repository: Repository) -> bool:
    return (row.inst_id, row.server_id) == (repository.institution, repository.server)


def _require_verified(config: HookConfig) -> None:
    if str(config.insecure_ssl) != "0":
        raise Invalid(what="insecure_ssl", why="0")


def _body(addresses: Addresses, row: Webhook) -> HookBody:
    return HookBody.model_validate(payloads.hook_body(addresses, row))


def _fields(row: WebhookDelivery) -> dict[str, Any]:
    return {
        "id": row.delivery_id,
        "guid": row.guid,
        "delivered_at": row.delivered_at or row.created_at,
        "redelivery": row.redelivery,
        "duration": (row.milliseconds or 0) / 1000,
        "status": "OK" if row.state == "DELIVERED" else row.error or row.state,
        "status_code": row.status_code or 0,
        "event": row.event,
        "action": row.action,
    }
