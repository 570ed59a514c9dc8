"""Tables of the outputs of remote reads, and of commands that failed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import ISSUE_ID, TASK_ID
from guardia.db.base import Base


class CommandOutput(Base):
    """The output of one remote read. The audit log holds its hash."""

    __tablename__ = "tb_evidence"
    __table_args__ = (Index("ix_tb_evidence_task_id", "task_id", "evidence_id"),)

    evidence_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID))
    task_id: Mapped[int] = mapped_column(ForeignKey(TASK_ID))
    tool: Mapped[str]
    args: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'"))
    """Arguments of the read; empty for reads before they were stored."""
    command: Mapped[str]
    findings: Mapped[dict[str, Any]]
    output: Mapped[str]
    sha256: Mapped[str]
    created_at: Mapped[datetime]


class FailedOutput(Base):
    """The output of a command that failed to change something. The audit log holds its hash."""

    __tablename__ = "tb_failed_output"
    __table_args__ = (Index("ix_tb_failed_output_task_id", "task_id", "intent"),)

    intent: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Number of the entry with which the command was logged before it was sent."""
    task_id: Mapped[int] = mapped_column(ForeignKey(TASK_ID))
    command: Mapped[str]
    findings: Mapped[dict[str, Any]]
    output: Mapped[str]
    sha256: Mapped[str]
    created_at: Mapped[datetime]
