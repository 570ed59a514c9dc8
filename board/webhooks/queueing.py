"""Queue deliveries in a transaction; those of events are queued by triggers of the database."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.webhooks.model import Webhook, WebhookDelivery
from guardia.db import jobs

JOB = "webhook"


def ping(session: Session, hook: Webhook, now: datetime) -> int:
    """Queue a `ping`."""
    row = WebhookDelivery(
        hook_id=hook.hook_id, guid=str(uuid.uuid4()), event="ping", state="PENDING", created_at=now
    )
    return _add(session, row)


def again(session: Session, earlier: WebhookDelivery, now: datetime) -> int:
    """Queue a delivery again, with the content that it had."""
    row = WebhookDelivery(
        hook_id=earlier.hook_id,
        guid=earlier.guid,
        event=earlier.event,
        action=earlier.action,
        sr_id=earlier.sr_id,
        detail=earlier.detail,
        transaction_id=earlier.transaction_id,
        redelivery=True,
        request=earlier.request,
        state="PENDING",
        created_at=now,
    )
    return _add(session, row)


def _add(session: Session, row: WebhookDelivery) -> int:
    session.add(row)
    session.flush()
    defer(session, row)
    return row.delivery_id


def defer(session: Session, row: WebhookDelivery) -> None:
    """Have a worker deliver it; one at a time to each address, so that none holds up the others."""
    jobs.defer(session, JOB, lock=f"webhook:{row.hook_id}", delivery_id=row.delivery_id)
