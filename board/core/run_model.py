"""Tables of agent runs: wakes, runs, wake budgets, crash counts and schedule ticks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import ISSUE_ID, TASK_ID
from guardia.db.base import Base


class Run(Base):
    """One run of an agent, with its reasons and its outcome."""

    __tablename__ = "tb_agent_run"
    __table_args__ = (
        Index("ix_tb_agent_run_agent_id", "agent_id", sql("run_id desc")),
        Index("ix_tb_agent_run_open", "agent_id", postgresql_where=sql("ended_at is null")),
    )

    run_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    agent_id: Mapped[str]
    reasons: Mapped[list[str]] = mapped_column(default=list, server_default=sql("'[]'"))
    causes: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default=sql("'[]'"))
    """Causes of the run: `{"reason": "mention", "issue": 3, "comment": 12}`."""
    revision: Mapped[int | None]
    """Revision of the org chart that the run uses from start to end."""
    task_id: Mapped[int | None]
    outcome: Mapped[str | None]
    steps: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    tokens: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    commands: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    """Number of remote commands sent."""
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Wake(Base):
    """A reason for an agent to wake; consumed by its next beat."""

    __tablename__ = "tb_wake"
    __table_args__ = (Index("ix_tb_wake_agent_id", "agent_id", "wake_id"),)

    wake_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    agent_id: Mapped[str]
    reason: Mapped[str]
    sr_id: Mapped[int | None]
    cause: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'"))
    """What changed: `{"comment": 12}`."""
    created_at: Mapped[datetime]


class WakeBudget(Base):
    """How often an issue has woken agents for one reason since a person last acted on it."""

    __tablename__ = "tb_wake_budget"

    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID), primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    spent: Mapped[int]
    since: Mapped[datetime]


class TaskCrashCount(Base):
    """How often a task has lost its worker at its present stage: see `runs.worker_crashes`."""

    __tablename__ = "tb_task_loss"

    task_id: Mapped[int] = mapped_column(ForeignKey(TASK_ID), primary_key=True)
    run_id: Mapped[int]
    """The last lost run that was counted."""
    losses: Mapped[int]
    mark: Mapped[str]
    """Progress of the task at that time."""
    since: Mapped[datetime]


class Tick(Base):
    """A tick of an agent's schedule; the primary key runs it once across all hosts."""

    __tablename__ = "tb_tick"

    agent_id: Mapped[str] = mapped_column(primary_key=True)
    tick: Mapped[datetime] = mapped_column(primary_key=True)


class ServerWait(Base):
    """An approved task in the queue for its server: see `core.server_queue`."""

    __tablename__ = "tb_server_wait"
    __table_args__ = (
        Index("ix_tb_server_wait_server_id", "server_id", "since"),
        Index(
            "ix_tb_server_wait_holder_id",
            "holder_id",
            postgresql_where=sql("holder_id is not null"),
        ),
    )

    task_id: Mapped[int] = mapped_column(ForeignKey(TASK_ID), primary_key=True, autoincrement=False)
    server_id: Mapped[str]
    holder_id: Mapped[int | None]
    """The task that it waits for; `None` if it may try to start."""
    since: Mapped[datetime]
    overridden_by: Mapped[str | None]
    """The person who let it start beside the other change."""
    reason: Mapped[str] = mapped_column(default="", server_default="")
