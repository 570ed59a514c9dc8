"""Tables of the remote console: runs, and the servers of each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import ISSUE_ID, TASK_ID
from guardia.db.base import Base


class RemoteRun(Base):
    """One action on several servers. Its row permits nothing: the gate checks each command."""

    __tablename__ = "tb_remote_run"
    __table_args__ = (
        CheckConstraint("kind in ('read', 'change')", name="kind"),
        CheckConstraint(
            "state in ('DRAFT', 'PENDING', 'RUNNING', 'STOPPING', 'DONE', 'STOPPED', 'CANCELLED')",
            name="state",
        ),
        Index(
            "ix_tb_remote_run_changes",
            "run_id",
            postgresql_where=sql("kind = 'change' and state in ('PENDING', 'RUNNING', 'STOPPING')"),
        ),
        Index("ix_tb_remote_run_sr_id", "sr_id", postgresql_where=sql("sr_id is not null")),
    )

    run_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    kind: Mapped[str]
    state: Mapped[str]
    tool: Mapped[str]
    args: Mapped[dict[str, Any]]
    reason: Mapped[str]
    chosen_by: Mapped[dict[str, Any]]
    """The filter by which the servers were chosen; empty: they were named."""
    total: Mapped[int]
    """How many servers it has."""
    sr_id: Mapped[int | None] = mapped_column(ForeignKey(ISSUE_ID))
    root_task_id: Mapped[int | None] = mapped_column(ForeignKey(TASK_ID))
    """The task whose approval covers the change on all servers."""
    again_of: Mapped[int | None] = mapped_column(ForeignKey("tb_remote_run.run_id"))
    fence: Mapped[int] = mapped_column(default=0, server_default="0")
    """Raised by each worker that takes the run: a worker that was replaced writes nothing more."""
    why: Mapped[str] = mapped_column(default="", server_default="")
    """Why it was stopped or cancelled."""
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class RemoteTarget(Base):
    """One server of a run, with what it answered."""

    __tablename__ = "tb_remote_target"
    __table_args__ = (
        CheckConstraint(
            "state in ('WAITING', 'RUNNING', 'OK', 'FAILED', 'REFUSED', 'UNKNOWN', 'STOPPED')",
            name="state",
        ),
        Index("ix_tb_remote_target_state", "run_id", "state", "ordinal"),
        Index("ix_tb_remote_target_server", "server_id", "run_id"),
    )

    run_id: Mapped[int] = mapped_column(
        ForeignKey("tb_remote_run.run_id", ondelete="CASCADE"), primary_key=True
    )
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    """Its place, from 1."""
    server_id: Mapped[str]
    state: Mapped[str]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    milliseconds: Mapped[int | None]
    findings: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    output: Mapped[str] = mapped_column(default="", server_default="")
    """The last that the command printed, with secrets masked."""
    is_cut: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    """Whether the output or the findings were longer than what is kept."""
    why: Mapped[str] = mapped_column(default="", server_default="")
    plan: Mapped[dict[str, Any] | None]
    """The plan of a change."""
    rules: Mapped[str] = mapped_column(default="", server_default="")
    """What rules of the site say to the change, as it was planned."""
    task_id: Mapped[int | None] = mapped_column(ForeignKey(TASK_ID))
