"""Table of site rules: every version of each, the one in force and what waits for a decision."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base


class SiteRuleRow(Base):
    """One version of a rule. At most one version of a name is active, and one proposed."""

    __tablename__ = "tb_site_rule"
    __table_args__ = (
        CheckConstraint(
            "state in ('ACTIVE', 'PROPOSED', 'SUPERSEDED', 'REMOVED', 'REJECTED')", name="state"
        ),
        Index("ix_tb_site_rule_scope", "scope", "name", postgresql_where=sql("state = 'ACTIVE'")),
        Index(
            "uq_tb_site_rule_active",
            "name",
            unique=True,
            postgresql_where=sql("state = 'ACTIVE'"),
        ),
        Index(
            "uq_tb_site_rule_proposed",
            "name",
            unique=True,
            postgresql_where=sql("state = 'PROPOSED'"),
        ),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    scope: Mapped[str]
    """Key of the place where it applies, see `terms.Scope.key`."""
    body: Mapped[dict[str, Any]]
    sentence: Mapped[str]
    hash: Mapped[str]
    state: Mapped[str]
    removes: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    """Whether this version ends the rule."""
    author: Mapped[str]
    reason: Mapped[str]
    created_at: Mapped[datetime]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
