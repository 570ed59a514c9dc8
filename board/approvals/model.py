"""Tables of approvals: the steps of chains, decisions on them."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Table,
    UniqueConstraint,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import ISSUE_ID, TASK_ID
from guardia.board.core.notices import Notice
from guardia.db.base import Base


class Approval(Base):
    """One step of a plan's approval chain, bound to the hash of the exact plan."""

    __tablename__ = "tb_approval"
    __table_args__ = (
        CheckConstraint(
            "state in ('WAITING', 'APPROVED', 'REJECTED', 'CHANGES', 'EXPIRED', 'VOID')",
            name="state",
        ),
        CheckConstraint("quorum >= 1", name="quorum"),
        CheckConstraint("signature in ('', 'passkey')", name="signature"),
        Index(
            "uq_tb_approval_standing",
            "task_id",
            "plan_hash",
            "step",
            unique=True,
            postgresql_where=sql("state in ('WAITING', 'APPROVED')"),
        ),
        Index("ix_tb_approval_task_id", "task_id", "plan_hash", "step"),
        Index(
            "ix_tb_approval_waiting",
            "role",
            "approval_id",
            postgresql_where=sql("state = 'WAITING'"),
        ),
        Index("ix_tb_approval_look_at", "look_at", postgresql_where=sql("state = 'WAITING'")),
    )

    approval_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey(TASK_ID))
    plan_hash: Mapped[str]
    step: Mapped[int]
    role: Mapped[str]
    quorum: Mapped[int] = mapped_column(default=1, server_default=sql("1"))
    """Number of different people required."""
    signature: Mapped[str] = mapped_column(default="", server_default=sql("''"))
    """`passkey` if an approval of the step must be signed with one."""
    state: Mapped[str]
    decided_by: Mapped[str | None]
    """Last person to decide; each decision is a row of `Decision`."""
    reason: Mapped[str] = mapped_column(default="", server_default="")
    decided_at: Mapped[datetime | None]
    opened_at: Mapped[datetime | None]
    """When it became the current step."""
    due_at: Mapped[datetime | None]
    """When it escalates or expires."""
    look_at: Mapped[datetime | None]
    """When the clock must check it next: at a reminder or at `due_at`."""
    escalate_to: Mapped[str | None]
    escalated_at: Mapped[datetime | None]
    """Since when people in `escalate_to` may decide as well."""
    created_at: Mapped[datetime]


class Decision(Base):
    """One person's decision on one step, in their own name or that of a principal."""

    __tablename__ = "tb_decision"
    __table_args__ = (
        CheckConstraint("verdict in ('approve', 'reject', 'change')", name="verdict"),
        CheckConstraint("next_step in ('manual', 'again', 'later', 'close')", name="next_step"),
        UniqueConstraint("approval_id", "person_id"),
    )

    decision_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    approval_id: Mapped[int] = mapped_column(ForeignKey("tb_approval.approval_id"))
    person_id: Mapped[str]
    role: Mapped[str]
    """The role in which they decided."""
    principal_id: Mapped[str | None]
    """The person in whose name it was made; `None` if in their own."""
    verdict: Mapped[str]
    reason: Mapped[str] = mapped_column(default="", server_default="")
    next_step: Mapped[str | None]
    """What the decider chose to follow, for a rejection or a later start."""
    run_after: Mapped[datetime | None]
    """Earliest start that an approval demands."""
    message: Mapped[str] = mapped_column(default="", server_default="")
    """The words for the requester."""
    decided_at: Mapped[datetime]


class Acceptance(Base):
    """A request to accept a completed task, or to reopen it."""

    __tablename__ = "tb_acceptance"
    __table_args__ = (
        CheckConstraint("asked_of in ('requester', 'engineer')", name="asked_of"),
        CheckConstraint(
            "state in ('WAITING', 'ACCEPTED', 'LAPSED', 'REOPENED', 'VOID')", name="state"
        ),
        Index(
            "uq_tb_acceptance_waiting",
            "task_id",
            unique=True,
            postgresql_where=sql("state = 'WAITING'"),
        ),
        Index("ix_tb_acceptance_sr_id", "sr_id", "acceptance_id"),
        Index(
            "ix_tb_acceptance_due_at",
            "due_at",
            postgresql_where=sql("state = 'WAITING' and due_at is not null"),
        ),
    )

    acceptance_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey(TASK_ID))
    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID))
    asked_of: Mapped[str]
    state: Mapped[str]
    decided_by: Mapped[str | None]
    reason: Mapped[str] = mapped_column(default="", server_default="")
    asked_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    """When it lapses or escalates; `None` once it has escalated."""
    escalated_at: Mapped[datetime | None]
    decided_at: Mapped[datetime | None]


# The core has the column, but must not know the table that it refers to.
cast(Table, Notice.__table__).append_constraint(
    ForeignKeyConstraint(["approval_id"], [Approval.approval_id])
)
