"""Tables of the board: issues, tasks, approvals, orders and talk."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

import guardia.board.audit.model

# The tables that issues and tasks refer to.
import guardia.board.core.goal_model
import guardia.board.core.run_model  # noqa: F401
from guardia.board.core.issue_ref import issue_ref
from guardia.db.base import Base

_ISSUE = "tb_sr_request.sr_id"
_TASK = "tb_ops_task.task_id"


class Issue(Base):
    """The card on the board: an SR, an incident, a change. Its state follows its tasks."""

    __tablename__ = "tb_sr_request"
    __table_args__ = (
        Index("ix_tb_sr_request_status", "status", sql("sr_id desc")),
        Index("ix_tb_sr_request_inst_id", "inst_id", sql("sr_id desc")),
        Index(
            "ix_tb_sr_request_requester_account",
            "requester_account",
            postgresql_where=sql("requester_account is not null and requester_id is null"),
        ),
        Index("ix_tb_sr_request_stalled", "sr_id", postgresql_where=sql("stalled_at is not null")),
        Index(
            "ix_tb_sr_request_parent_id",
            "parent_id",
            "sr_id",
            postgresql_where=sql("parent_id is not null"),
        ),
        Index(
            "ix_tb_sr_request_goal_id",
            "goal_id",
            "status",
            postgresql_where=sql("goal_id is not null"),
        ),
    )

    sr_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    title: Mapped[str]
    body: Mapped[str]
    status: Mapped[str]
    kind: Mapped[str | None]
    category: Mapped[str | None]
    priority: Mapped[str | None]
    inst_id: Mapped[str | None]
    requester_id: Mapped[str | None]
    requester_account: Mapped[str | None]
    """``channel:account`` of who asked in a messenger, whoever that turns out to be."""
    requester_name: Mapped[str] = mapped_column(default="", server_default="")
    channel: Mapped[str]
    room: Mapped[str] = mapped_column(default="", server_default="")
    dedupe_key: Mapped[str | None] = mapped_column(unique=True)
    assignee_id: Mapped[str | None]
    """The engineer who answers for it."""
    agent_id: Mapped[str | None]
    triage: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'"))
    stalled_at: Mapped[datetime | None]
    """Since when agents go round in circles on it: none of them works on it until a person acts."""
    stalled_on: Mapped[str | None]
    """The reason whose wakes were spent."""
    parent_id: Mapped[int | None] = mapped_column(ForeignKey(_ISSUE))
    goal_id: Mapped[int | None] = mapped_column(ForeignKey(_ISSUE))
    """The goal that it serves, however deep below it."""
    due_on: Mapped[date | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    @property
    def ref(self) -> str:
        """The reference by which people name it, e.g. `SR-12`."""
        return issue_ref(self.sr_id)


class Task(Base):
    """One piece of operations work on one server for an issue; has the lifecycle."""

    __tablename__ = "tb_ops_task"
    __table_args__ = (
        Index("ix_tb_ops_task_work", "agent_id", "status", "task_id"),
        Index("ix_tb_ops_task_server", "target_server", "created_at"),
        Index(
            "ix_tb_ops_task_run_after", "run_after", postgresql_where=sql("run_after is not null")
        ),
        Index("ix_tb_ops_task_hire_id", "hire_id", postgresql_where=sql("hire_id is not null")),
        Index("ix_tb_ops_task_run_id", "run_id", postgresql_where=sql("run_id is not null")),
        # What waits for an agent, in the order in which it claims: see ``desk.claiming``.
        Index(
            "ix_tb_ops_task_begun",
            "agent_id",
            "lost_at",
            "priority",
            "task_id",
            postgresql_where=sql(
                "status in ('RECEIVED', 'APPROVED', 'IN_PROGRESS') and not paused"
            ),
        ),
        Index(
            "ix_tb_ops_task_new",
            "agent_id",
            "lost_at",
            "priority",
            "task_id",
            postgresql_where=sql("status = 'PARSED' and not paused"),
        ),
    )

    task_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    sr_id: Mapped[int] = mapped_column(ForeignKey(_ISSUE), index=True)
    status: Mapped[str]
    target_server: Mapped[str | None]
    action_type: Mapped[str | None]
    owner_id: Mapped[str | None]
    agent_id: Mapped[str | None]
    run_id: Mapped[int | None]
    """The waking that works on it now; ``None`` when nobody does."""
    fence: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    """Raised by every claim and every override; an agent writes only with the one it holds."""
    plan: Mapped[dict[str, Any] | None]
    plan_hash: Mapped[str | None]
    category: Mapped[str | None]
    paused: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    """A person wants it to rest; nobody claims it."""
    attempt: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    """How often people have given it back to agents, who then begin anew."""
    plan_author: Mapped[str | None]
    """Who made the plan, ``agent:`` or ``person:``; never one of its approvers."""
    run_after: Mapped[datetime | None]
    """Approved now, run later: no agent claims it before."""
    # `use_alter`: a process can write tasks without having loaded the table that it refers to.
    hire_id: Mapped[int | None] = mapped_column(ForeignKey("tb_hire.hire_id", use_alter=True))
    """The colleague who has to be hired for it; nobody claims it before."""
    priority: Mapped[str] = mapped_column(default="P3", server_default=sql("'P3'"))
    """Its issue's; triggers keep it so."""
    lost_at: Mapped[datetime | None]
    """When it lost its worker; the next free hand takes it up first, and forgets that."""
    created_at: Mapped[datetime] = mapped_column(index=True)
    updated_at: Mapped[datetime]


class ActionRun(Base):
    """One attempt at one action; its key makes a second attempt impossible."""

    __tablename__ = "tb_action_run"
    __table_args__ = (
        CheckConstraint("phase in ('do', 'undo')", name="phase"),
        CheckConstraint("state in ('INTENT', 'DONE', 'FAILED', 'UNKNOWN')", name="state"),
    )

    task_id: Mapped[int] = mapped_column(ForeignKey(_TASK), primary_key=True)
    plan_hash: Mapped[str] = mapped_column(primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    phase: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    fence: Mapped[int]
    intent_at: Mapped[datetime]
    result_at: Mapped[datetime | None]


class LifecycleTransition(Base):
    """The states that may follow one another, as the database's trigger enforces them; a test
    holds it equal to ``board.lifecycle.TABLE``."""

    __tablename__ = "tb_lifecycle"

    before: Mapped[str] = mapped_column(primary_key=True)
    after: Mapped[str] = mapped_column(primary_key=True)


class Directive(Base):
    """A person's command to running work; outranks agents."""

    __tablename__ = "tb_directive"
    __table_args__ = (
        CheckConstraint("state in ('DONE', 'UNDOING', 'RESTORED', 'NOT_RESTORED')", name="state"),
        Index("ix_tb_directive_task_id", "task_id", "directive_id"),
        Index(
            "uq_tb_directive_undoing",
            "task_id",
            unique=True,
            postgresql_where=sql("state = 'UNDOING'"),
        ),
    )

    directive_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey(_TASK))
    sr_id: Mapped[int] = mapped_column(ForeignKey(_ISSUE))
    kill_id: Mapped[int | None] = mapped_column(
        ForeignKey("tb_kill.kill_id", use_alter=True), index=True
    )
    verb: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'"))
    ordered_by: Mapped[str]
    reason: Mapped[str] = mapped_column(default="", server_default="")
    found: Mapped[str]
    """The task's state when the order came."""
    state: Mapped[str]
    outcome: Mapped[str] = mapped_column(default="", server_default="")
    ordered_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Comment(Base):
    """A note on an issue, by a person or an agent; Markdown."""

    __tablename__ = "tb_comment"
    __table_args__ = (Index("ix_tb_comment_sr_id", "sr_id", "comment_id"),)

    comment_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    sr_id: Mapped[int] = mapped_column(ForeignKey(_ISSUE))
    author: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[datetime]


class OutboxEntry(Base):
    """A message or alert that must leave; written with its cause, delivered after."""

    __tablename__ = "tb_outbox"
    __table_args__ = (
        CheckConstraint("kind in ('message', 'alert')", name="kind"),
        Index("ix_tb_outbox_pending", "outbox_id", postgresql_where=sql("delivered_at is null")),
    )

    outbox_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    kind: Mapped[str]
    room: Mapped[str] = mapped_column(default="", server_default="")
    sr_id: Mapped[int | None]
    text: Mapped[str]
    created_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    last_error: Mapped[str | None]
