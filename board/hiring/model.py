"""Table of hire requests."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Table,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import ISSUE_ID, Task
from guardia.db.base import Base


class HireRequest(Base):
    """An agent's request for a new colleague; a person decides."""

    __tablename__ = "tb_hire"
    __table_args__ = (
        CheckConstraint("state in ('WAITING', 'APPROVED', 'REJECTED')", name="state"),
        Index(
            "uq_tb_hire_waiting",
            "agent_id",
            unique=True,
            postgresql_where=sql("state = 'WAITING'"),
        ),
        Index("ix_tb_hire_sr_id", "sr_id"),
    )

    hire_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    sr_id: Mapped[int | None] = mapped_column(ForeignKey(ISSUE_ID))
    """The goal or issue that needs it."""
    requested_by: Mapped[str]
    agent_id: Mapped[str]
    """The id that the new agent is to have."""
    title: Mapped[str]
    skills: Mapped[list[str]] = mapped_column(default=list, server_default=sql("'[]'"))
    reports_to: Mapped[str | None]
    monthly_won: Mapped[int | None]
    """Expected monthly cost; `None` if it cannot be estimated."""
    estimate: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'"))
    """Basis of the estimate: see `hiring.cost_estimate`."""
    reason: Mapped[str]
    state: Mapped[str]
    decided_by: Mapped[str | None]
    decision_reason: Mapped[str] = mapped_column(default="", server_default="")
    decided_at: Mapped[datetime | None]
    revision: Mapped[int | None]
    """The revision of the org chart that the approval created."""
    created_at: Mapped[datetime]


# The core has the column, but must not know the table that it refers to.
cast(Table, Task.__table__).append_constraint(
    ForeignKeyConstraint(["hire_id"], [HireRequest.hire_id])
)
