"""Tables of the audit log: entries, chain head, signed checkpoints."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base

SERVER_KINDS = (
    "host_key_changed",
    "host_key_confirmed",
    "inspected",
    "inspection",
    "inspection_failed",
    "server_changed",
    "server_enrolled",
    "server_removed",
)
"""Kinds of entries about a server itself, by which its history is found."""


class AuditEntry(Base):
    """An append-only entry of the chain."""

    __tablename__ = "tb_audit_log"
    __table_args__ = (
        Index("ix_tb_audit_log_sr_id", "sr_id", "seq"),
        Index("ix_tb_audit_log_task_id", "task_id", "seq"),
        Index("ix_tb_audit_log_kind", "kind", "seq"),
        Index("ix_tb_audit_log_actor", "actor", "seq"),
        Index("ix_tb_audit_log_observed", "seq", postgresql_where=sql("kind = 'observed'")),
        Index("ix_tb_audit_log_started", "seq", postgresql_where=sql("kind = 'started'")),
        Index(
            "ix_tb_audit_log_standing",
            "seq",
            postgresql_where=sql(
                "kind in ('standing_proposed', 'standing_terms', 'standing_decided', "
                "'standing_ended', 'standing_used')"
            ),
        ),
        Index(
            "ix_tb_audit_log_verified",
            "seq",
            postgresql_where=sql("kind in ('verified', 'verified_daily', 'broken')"),
        ),
        Index(
            "ix_tb_audit_log_results",
            "seq",
            postgresql_where=sql("kind in ('result', 'result_failed', 'not_restored', 'undone')"),
        ),
        Index("ix_tb_audit_log_keys", "seq", postgresql_where=sql("kind = 'key_succeeded'")),
        Index(
            "ix_tb_audit_log_server",
            sql("(detail ->> 'server')"),
            "seq",
            postgresql_where=sql(f"kind in {SERVER_KINDS}"),
        ),
        Index(
            "ix_tb_audit_log_passkeys",
            "seq",
            postgresql_where=sql(
                "kind in ('passkey_registered', 'passkey_removed', 'passkey_cloned')"
            ),
        ),
    )

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    created_at: Mapped[datetime] = mapped_column(unique=True)
    actor: Mapped[str]
    kind: Mapped[str]
    sr_id: Mapped[int | None]
    task_id: Mapped[int | None]
    log_content: Mapped[str]
    detail: Mapped[dict[str, Any]]
    previous_hash: Mapped[str]
    current_hash: Mapped[str] = mapped_column(unique=True)
    canonical: Mapped[str | None] = mapped_column(deferred=True)
    """The canonical bytes that were hashed; entries of earlier versions have none."""


class ChainHead(Base):
    """End of the chain; its row lock orders the writers."""

    __tablename__ = "tb_audit_head"

    chain: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int]
    head: Mapped[str]
    last_at: Mapped[datetime]


class AuditCheckpoint(Base):
    """A signed checkpoint of the audit log; append-only."""

    __tablename__ = "tb_audit_checkpoint"
    __table_args__ = (
        CheckConstraint("size > 0", name="size"),
        UniqueConstraint("chain", "previous"),
    )

    chain: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    head: Mapped[str]
    time: Mapped[datetime]
    previous: Mapped[str]
    key: Mapped[str]
    signature: Mapped[str]
