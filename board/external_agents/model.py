"""Tables of external agents: their sessions and their calls."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import ISSUE_ID, TASK_ID
from guardia.db.base import Base


class ExternalAgentSession(Base):
    """An external agent's access to one task. Its token is valid while the claim is current."""

    __tablename__ = "tb_outside_session"
    __table_args__ = (
        Index(
            "ix_tb_outside_session_task_id", "task_id", postgresql_where=sql("closed_at is null")
        ),
    )

    session_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    agent_id: Mapped[str]
    run_id: Mapped[int]
    task_id: Mapped[int] = mapped_column(ForeignKey(TASK_ID))
    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID))
    fence: Mapped[int]
    offer: Mapped[dict[str, Any]]
    """Server and tools that the agent may use, as the worker compiled them."""
    budget: Mapped[int]
    """Maximum number of requests."""
    calls: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    refusals: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    opened_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class ExternalAgentCall(Base):
    """A call of an external agent, executed by the worker that has claimed the task."""

    __tablename__ = "tb_outside_call"
    __table_args__ = (
        CheckConstraint("kind in ('read', 'plan', 'apply', 'finish')", name="kind"),
        CheckConstraint("state in ('WAITING', 'RUNNING', 'ENDED')", name="state"),
        Index("ix_tb_outside_call_session_id", "session_id", "call_id"),
        Index(
            "uq_tb_outside_call_open",
            "session_id",
            unique=True,
            postgresql_where=sql("state <> 'ENDED'"),
        ),
    )

    call_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("tb_outside_session.session_id"))
    kind: Mapped[str]
    body: Mapped[dict[str, Any]]
    state: Mapped[str]
    status: Mapped[int | None]
    """HTTP status of the response."""
    result: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
