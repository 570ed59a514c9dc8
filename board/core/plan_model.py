"""Table of the plans that were filed for tasks, with people's requests and the agent's answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import TASK_ID
from guardia.db.base import Base


class PlanVersion(Base):
    """One filed plan of a task; numbers count from 1."""

    __tablename__ = "tb_plan_version"
    __table_args__ = (
        CheckConstraint(
            "returned_as in ('change', 'again', 'manual', 'close')", name="returned_as"
        ),
        Index("ix_tb_plan_version_checks_due", "task_id", postgresql_where=sql("checks_due")),
    )

    task_id: Mapped[int] = mapped_column(ForeignKey(TASK_ID), primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    attempt: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    """The task's attempt in which it was filed."""
    plan_hash: Mapped[str]
    plan: Mapped[dict[str, Any]]
    author: Mapped[str]
    reason: Mapped[str] = mapped_column(default="", server_default="")
    """Why a person changed the plan before it; empty for an agent's plan."""
    filed_at: Mapped[datetime]
    returned_as: Mapped[str | None]
    """How people returned it: `change` or `again` to its agent, `manual` or `close` otherwise."""
    request: Mapped[str] = mapped_column(default="", server_default="")
    """What people asked for when they returned it."""
    requested_by: Mapped[str | None]
    requested_at: Mapped[datetime | None]
    answer: Mapped[str] = mapped_column(default="", server_default="")
    """The agent's answer to the request."""
    answered_at: Mapped[datetime | None]
    checks: Mapped[list[dict[str, Any]] | None]
    """Results of the pre-checks, run as reads when the plan was filed; `None` until then."""
    checks_due: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    """Whether an agent still has to run them."""
