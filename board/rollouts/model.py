"""Tables of rollouts, of the servers that each covers, and of the load balancers before them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.artifacts.model import Artifact
from guardia.board.core.model import ISSUE_ID, TASK_ID
from guardia.db.base import Base


class Rollout(Base):
    """A rollout. Its row permits nothing: each plan is proven by the approval of the root task."""

    __tablename__ = "tb_rollout"
    __table_args__ = (
        CheckConstraint(
            "state in ('PLANNING', 'DRAFT', 'PENDING', 'RUNNING', 'PAUSED', 'ROLLING_BACK', 'DONE',"
            " 'ROLLED_BACK', 'FAILED', 'CANCELLED')",
            name="state",
        ),
        Index(
            "ix_tb_rollout_active",
            "rollout_id",
            postgresql_where=sql("state in ('PENDING', 'RUNNING', 'ROLLING_BACK')"),
        ),
    )

    rollout_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    artifact_id: Mapped[int | None] = mapped_column(
        ForeignKey(Artifact.artifact_id, ondelete="SET NULL")
    )
    """The artefact; `None` after it was removed, which an open rollout prevents."""
    title: Mapped[str]
    sha256: Mapped[str]
    category: Mapped[str]
    state: Mapped[str]
    options: Mapped[dict[str, Any]]
    """Order of tiers, sizes of batches, and what follows a failure or an interruption."""
    request: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    """The servers and the details for which a worker makes the plans; see `requests.Request`."""
    findings: Mapped[dict[str, Any]] = mapped_column(
        default=dict, server_default="{}", deferred=True
    )
    """Why servers were left out, and the files that the first server runs."""
    reason: Mapped[str] = mapped_column(default="", server_default="")
    """Why it is paused, rolled back or ended."""
    sr_id: Mapped[int | None] = mapped_column(ForeignKey(ISSUE_ID))
    root_task_id: Mapped[int | None] = mapped_column(ForeignKey(TASK_ID))
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    advanced_at: Mapped[datetime | None]
    """When its next step was looked for last."""
    advanced_by: Mapped[str | None]
    """The process that carries it on. If another has to take over, it was interrupted."""
    canary_paused_at: Mapped[datetime | None]
    """When it paused for people to look at its canary: only once."""
    ended_at: Mapped[datetime | None]


class RolloutServer(Base):
    """One server of a rollout, with its plan."""

    __tablename__ = "tb_rollout_server"

    rollout_id: Mapped[int] = mapped_column(ForeignKey("tb_rollout.rollout_id"), primary_key=True)
    server_id: Mapped[str] = mapped_column(primary_key=True)
    service: Mapped[str]
    tier: Mapped[str]
    ordinal: Mapped[int]
    """Its place in the whole order, from 0."""
    batch: Mapped[int]
    """From 1; batch 1 of a canary is one server."""
    plan: Mapped[dict[str, Any]]
    task_id: Mapped[int | None] = mapped_column(ForeignKey(TASK_ID))
    """The task that carries the plan out, once its batch has begun."""


class RolloutFront(Base):
    """One step on a load balancer that is on another server than the one that is changed."""

    __tablename__ = "tb_rollout_front"
    __table_args__ = (
        CheckConstraint("step in ('out', 'back')", name="step"),
        ForeignKeyConstraint(
            ["rollout_id", "server_id"],
            ["tb_rollout_server.rollout_id", "tb_rollout_server.server_id"],
        ),
    )

    rollout_id: Mapped[int] = mapped_column(primary_key=True)
    server_id: Mapped[str] = mapped_column(primary_key=True)
    """The server that is changed."""
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    """Its place among the steps of that server, from 0."""
    step: Mapped[str]
    """`out` before the change, `back` after it."""
    front_id: Mapped[str]
    """The server of the load balancer, on which the plan runs."""
    service: Mapped[str]
    plan: Mapped[dict[str, Any]]
    task_id: Mapped[int | None] = mapped_column(ForeignKey(TASK_ID))
