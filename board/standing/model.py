"""Table of standing approvals. It permits nothing by itself: the audit log proves each of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base

_ROUTINE = ("document", "institution", "kind", "category")


class StandingApproval(Base):
    """One standing approval; `terms` is what its decisions are bound to."""

    __tablename__ = "tb_standing"
    __table_args__ = (
        CheckConstraint(
            "state in ('PROPOSED', 'APPROVED', 'REJECTED', 'REVOKED', 'EXPIRED')", name="state"
        ),
        Index(
            "uq_tb_standing_open",
            *_ROUTINE,
            unique=True,
            postgresql_where=sql("state in ('PROPOSED', 'APPROVED')"),
        ),
    )

    standing_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    document: Mapped[str]
    version: Mapped[int]
    sha256: Mapped[str]
    title: Mapped[str]
    category: Mapped[str]
    institution: Mapped[str]
    kind: Mapped[str]
    state: Mapped[str]
    terms: Mapped[dict[str, Any]]
    proposed_by: Mapped[str]
    proposed_at: Mapped[datetime]
    approved_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    reason: Mapped[str] = mapped_column(default="", server_default="")
    """Why it ended."""
