"""Read webhooks and their deliveries."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset, Slice, cut_slice
from guardia.board.webhooks.hooks import READ
from guardia.board.webhooks.model import Webhook, WebhookDelivery
from guardia.errors import NotFound
from guardia.org.directory import PersonInfo


def list_hooks(board: BoardContext, by: PersonInfo | Actor) -> Sequence[Webhook]:
    """Return all webhooks, the oldest first."""
    require_actor(by, READ)
    with board.database.reading() as session:
        return session.scalars(select(Webhook).order_by(Webhook.hook_id)).all()


def get_hook(board: BoardContext, by: PersonInfo | Actor, hook_id: int) -> Webhook:
    """Return a webhook. Raises `NotFound` if there is none."""
    require_actor(by, READ)
    with board.database.reading() as session:
        row = session.get(Webhook, hook_id)
        if row is None:
            raise NotFound(what=f"webhook {hook_id}")
        return row


def list_deliveries(
    board: BoardContext, by: PersonInfo | Actor, hook_id: int, page: Keyset
) -> Slice[WebhookDelivery]:
    """Return one page of the deliveries of a webhook, the newest first."""
    require_actor(by, READ)
    number = WebhookDelivery.delivery_id
    query = select(WebhookDelivery).where(WebhookDelivery.hook_id == hook_id)
    if page.before is not None:
        query = query.where(number < page.before)
    with board.database.reading() as session:
        rows = session.scalars(query.order_by(number.desc()).limit(page.size + 1)).all()
    return cut_slice(rows, page, lambda row: row.delivery_id)


def get_delivery(
    board: BoardContext, by: PersonInfo | Actor, hook_id: int, delivery_id: int
) -> WebhookDelivery:
    """Return a delivery with what was sent and answered."""
    require_actor(by, READ)
    with board.database.reading() as session:
        row = session.get(WebhookDelivery, delivery_id)
        if row is None or row.hook_id != hook_id:
            raise NotFound(what=f"delivery {delivery_id}")
        return row
