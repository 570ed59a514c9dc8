"""Tables of webhooks and their deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base


class Webhook(Base):
    """An address that receives events. Triggers of the database queue its deliveries."""

    __tablename__ = "tb_webhook"

    hook_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    url: Mapped[str]
    content_type: Mapped[str]
    """`json` or `form`."""
    secret_name: Mapped[str]
    """Name of its secret in the credential store."""
    events: Mapped[list[str]]
    """Names of events; `*`: all."""
    inst_id: Mapped[str | None]
    """Only issues of this institution; `None`: of all."""
    server_id: Mapped[str | None]
    active: Mapped[bool] = mapped_column(default=True, server_default=sql("true"))
    failures: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    """Deliveries in a row that have failed for good."""
    disabled_at: Mapped[datetime | None]
    """When it was disabled because of them."""
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class WebhookDelivery(Base):
    """One event for one address, with its last attempt."""

    __tablename__ = "tb_webhook_delivery"
    __table_args__ = (
        CheckConstraint("state in ('PENDING', 'DELIVERED', 'FAILED')", name="state"),
        Index("ix_tb_webhook_delivery_hook_id", "hook_id", "delivery_id"),
        Index("ix_tb_webhook_delivery_created_at", "created_at"),
        Index(
            "ix_tb_webhook_delivery_due",
            "next_at",
            postgresql_where=sql("state = 'PENDING' and next_at is not null"),
        ),
    )

    delivery_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    hook_id: Mapped[int] = mapped_column(ForeignKey("tb_webhook.hook_id", ondelete="CASCADE"))
    guid: Mapped[str]
    """The same for a redelivery, so that the receiver can drop what it has."""
    event: Mapped[str]
    action: Mapped[str | None]
    sr_id: Mapped[int | None]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'"))
    transaction_id: Mapped[int | None]
    """Transaction of the event, by which its audit entry is found."""
    redelivery: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    next_at: Mapped[datetime | None]
    request: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'"))
    """Headers and body as they were sent."""
    response: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'"))
    """Headers and body of the answer: cut, without secrets."""
    status_code: Mapped[int | None]
    error: Mapped[str] = mapped_column(default="", server_default="")
    milliseconds: Mapped[int | None]
    created_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    """When the last attempt ended."""
