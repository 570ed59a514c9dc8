"""Tables of alerts, of deliveries that wait to be folded, and of maintenance windows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, SmallInteger, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import ISSUE_ID
from guardia.db.base import Base


class Alert(Base):
    """One alert of a monitoring system, however often it was reported."""

    __tablename__ = "tb_alert"
    __table_args__ = (
        UniqueConstraint("source", "key"),
        CheckConstraint("state in ('FIRING', 'SILENCED', 'RESOLVED')", name="state"),
        Index(
            "ix_tb_alert_unsettled",
            "source",
            "rank",
            "alert_id",
            postgresql_where=sql("unsettled"),
        ),
        Index("ix_tb_alert_fold", "source", "fold", "sr_id"),
        Index("ix_tb_alert_sr_id", "sr_id", "state", postgresql_where=sql("sr_id is not null")),
        Index("ix_tb_alert_state", "state", sql("last_seen desc"), sql("alert_id desc")),
        Index(
            "ix_tb_alert_opened_at",
            "source",
            "opened_at",
            postgresql_where=sql("opened_at is not null"),
        ),
    )

    alert_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    source: Mapped[str]
    """Name of the channel."""
    key: Mapped[str]
    fold: Mapped[str]
    """Alerts with the same text share one open issue: the rule and the server."""
    episode: Mapped[str]
    state: Mapped[str]
    rule: Mapped[str]
    severity: Mapped[str]
    rank: Mapped[int] = mapped_column(SmallInteger)
    """1 to 4 as in P1 to P4, or 5: recorded only."""
    worst: Mapped[int] = mapped_column(SmallInteger)
    """The most urgent rank of this episode."""
    summary: Mapped[str]
    host: Mapped[str]
    """What named the server."""
    server_id: Mapped[str | None]
    labels: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'"))
    url: Mapped[str]
    count: Mapped[int]
    """Notifications of this episode."""
    episodes: Mapped[int]
    """Episodes since its issue was opened."""
    started_at: Mapped[datetime]
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    sr_id: Mapped[int | None] = mapped_column(ForeignKey(ISSUE_ID))
    silenced_sr: Mapped[int | None]
    """The issue whose change silences it, or silenced its last episode."""
    silenced_by: Mapped[int | None]
    """The maintenance window that silences it, or silenced its last episode."""
    opened_at: Mapped[datetime | None]
    """When an issue was opened for it; storms are counted by it."""
    unsettled: Mapped[bool]
    """Whether it changed in a way that its issue does not show yet."""


class AlertDelivery(Base):
    """One request of a monitoring system, from its receipt until its alerts are folded."""

    __tablename__ = "tb_alert_delivery"
    __table_args__ = (
        Index(
            "ix_tb_alert_delivery_waiting",
            "source",
            "delivery_id",
            postgresql_where=sql("folded_at is null"),
        ),
        Index("ix_tb_alert_delivery_digest", "source", "digest", "received_at"),
        Index("ix_tb_alert_delivery_received_at", "received_at"),
    )

    delivery_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    source: Mapped[str]
    digest: Mapped[str]
    """SHA-256 of the body, by which a repeated delivery is recognized."""
    alerts: Mapped[list[dict[str, Any]]]
    """See `incoming.IncomingAlert`; empty once they are folded."""
    omitted: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    """Alerts that the source has left out."""
    received_at: Mapped[datetime]
    folded_at: Mapped[datetime | None]


class MaintenanceWindow(Base):
    """A period in which alerts of a server, an institution or all servers open no issue."""

    __tablename__ = "tb_maintenance"
    __table_args__ = (
        CheckConstraint("begins_at < ends_at", name="order"),
        Index(
            "ix_tb_maintenance_scope",
            "scope",
            "ends_at",
            postgresql_where=sql("ended_at is null"),
        ),
    )

    window_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    scope: Mapped[str]
    """Key of the place, see `site_rules.terms.Scope.key`."""
    begins_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    reason: Mapped[str]
    declared_by: Mapped[str]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    """When a person ended it before its time."""
    ended_by: Mapped[str | None]
