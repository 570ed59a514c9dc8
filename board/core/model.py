"""Tables of issues, tasks, action runs, directives, comments, the outbox and the kill switch."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, FetchedValue, ForeignKey, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.issue_ref import issue_ref
from guardia.db.base import Base
from guardia.org.model import Person

ISSUE_ID = "tb_sr_request.sr_id"
TASK_ID = "tb_ops_task.task_id"


class Issue(Base):
    """An issue: a service request, an incident or a change. Its state follows its tasks."""

    __tablename__ = "tb_sr_request"
    __table_args__ = (
        Index("ix_tb_sr_request_status", "status", "sr_id"),
        Index("ix_tb_sr_request_updated", "updated_at", "sr_id"),
        Index("ix_tb_sr_request_created", "created_at", "sr_id"),
        Index(
            "ix_tb_sr_request_closed",
            "closed_at",
            "sr_id",
            postgresql_where=sql("closed_at is not null"),
        ),
        # What lists are sorted by, and the value of an issue that has none.
        Index("ix_tb_sr_request_due", sql("coalesce(due_on, 'infinity'::date)"), "sr_id"),
        Index("ix_tb_sr_request_priority", sql("coalesce(priority, 'P9')"), "sr_id"),
        Index("ix_tb_sr_request_category", sql("coalesce(category, '')"), "sr_id"),
        Index("ix_tb_sr_request_owner", sql("coalesce(assignee_id, '')"), "sr_id"),
        Index("ix_tb_sr_request_place", sql("coalesce(inst_id, '')"), "sr_id"),
        Index(
            "ix_tb_sr_request_requester",
            "requester_id",
            "sr_id",
            postgresql_where=sql("requester_id is not null"),
        ),
        Index(
            "ix_tb_sr_request_thread",
            "channel",
            "room",
            "thread",
            postgresql_where=sql("thread <> ''"),
        ),
        Index("ix_tb_sr_request_inst_id", "inst_id", sql("sr_id desc")),
        Index(
            "ix_tb_sr_request_requester_account",
            "requester_account",
            postgresql_where=sql("requester_account is not null and requester_id is null"),
        ),
        Index(
            "ix_tb_sr_request_assignee",
            "assignee_id",
            "sr_id",
            postgresql_where=sql("status = 'MANUAL'"),
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
        Index(
            "ix_tb_sr_request_unowned",
            "sr_id",
            postgresql_where=sql("status = 'MANUAL' and assignee_id is null"),
        ),
        Index("ix_tb_sr_request_created_at", "created_at"),
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
    """`channel:account` of a messenger user, who may not be identified yet."""
    requester_name: Mapped[str] = mapped_column(default="", server_default="")
    channel: Mapped[str]
    room: Mapped[str] = mapped_column(default="", server_default="")
    thread: Mapped[str] = mapped_column(default="", server_default="")
    """The channel's own key of the conversation in the room, under which it replies."""
    dedupe_key: Mapped[str | None] = mapped_column(unique=True)
    assignee_id: Mapped[str | None]
    """The responsible engineer."""
    agent_id: Mapped[str | None]
    triage: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'"))
    stalled_at: Mapped[datetime | None]
    """Since when its wake budget is spent: no agent works on it until a person acts."""
    stalled_on: Mapped[str | None]
    """The wake reason whose budget was spent."""
    parent_id: Mapped[int | None] = mapped_column(ForeignKey(ISSUE_ID))
    goal_id: Mapped[int | None] = mapped_column(ForeignKey(ISSUE_ID))
    """The goal that it belongs to, at any depth below it."""
    due_on: Mapped[date | None]
    sub_order: Mapped[int | None]
    """Its place among the sub-issues of its parent; without one, they are in the order of their
    numbers."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    closed_at: Mapped[datetime | None] = mapped_column(server_default=FetchedValue())
    """When its state became an ended one; a trigger keeps it."""

    @property
    def ref(self) -> str:
        """The reference for people, e.g. `SR-12`."""
        return issue_ref(self.sr_id)


class Task(Base):
    """Operations work on one server for an issue; follows the lifecycle."""

    __tablename__ = "tb_ops_task"
    __table_args__ = (
        Index("ix_tb_ops_task_work", "agent_id", "status", "task_id"),
        Index("ix_tb_ops_task_server", "target_server", "created_at"),
        Index(
            "ix_tb_ops_task_run_after", "run_after", postgresql_where=sql("run_after is not null")
        ),
        Index("ix_tb_ops_task_hire_id", "hire_id", postgresql_where=sql("hire_id is not null")),
        Index(
            "ix_tb_ops_task_owner", "owner_id", "sr_id", postgresql_where=sql("status = 'MANUAL'")
        ),
        Index(
            "ix_tb_ops_task_planned",
            "target_server",
            "task_id",
            postgresql_where=sql(
                "status in ('PENDING_APPROVAL', 'APPROVED', 'IN_PROGRESS') "
                "and plan_hash is not null"
            ),
        ),
        Index("ix_tb_ops_task_run_id", "run_id", postgresql_where=sql("run_id is not null")),
        # Claimable tasks of an agent in the order of claiming: see `runs.claiming`.
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
        Index(
            "ix_tb_ops_task_failed",
            sql("updated_at desc"),
            postgresql_where=sql("status = 'FAILED_ROLLBACK'"),
        ),
    )

    task_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID), index=True)
    status: Mapped[str]
    target_server: Mapped[str | None]
    action_type: Mapped[str | None]
    owner_id: Mapped[str | None]
    agent_id: Mapped[str | None]
    run_id: Mapped[int | None]
    """The run that works on it now, if any."""
    fence: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    """Fencing token: raised by every claim and override; an agent writes only with its own."""
    plan: Mapped[dict[str, Any] | None]
    plan_hash: Mapped[str | None]
    category: Mapped[str | None]
    paused: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    """Paused by a person; no agent claims it."""
    attempt: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    """How often people have returned it to an agent, which then starts over."""
    plan_author: Mapped[str | None]
    """Author of the plan, `agent:…` or `person:…`; never one of its approvers."""
    run_after: Mapped[datetime | None]
    """Earliest start of approved work; no agent claims it before."""
    hire_id: Mapped[int | None]
    """The hire that it waits for; no agent claims it before."""
    priority: Mapped[str] = mapped_column(default="P3", server_default=sql("'P3'"))
    """Priority of its issue; triggers keep both equal."""
    lost_at: Mapped[datetime | None]
    """When its worker was lost; claimed first, and cleared by the claim."""
    by_person: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    """Whether a person has decided on it or directed it; kept by a trigger."""
    created_at: Mapped[datetime] = mapped_column(index=True)
    updated_at: Mapped[datetime]


NOT_STARTED = "NOT_STARTED"
"""State of an attempt whose command certainly never ran on its server."""


class ActionRun(Base):
    """One attempt at one action; the primary key prevents a second one."""

    __tablename__ = "tb_action_run"
    __table_args__ = (
        CheckConstraint("phase in ('do', 'undo')", name="phase"),
        CheckConstraint(
            "state in ('INTENT', 'DONE', 'FAILED', 'UNKNOWN', 'NOT_STARTED')", name="state"
        ),
        Index("ix_tb_action_run_intent_at", "intent_at"),
    )

    task_id: Mapped[int] = mapped_column(ForeignKey(TASK_ID), primary_key=True)
    plan_hash: Mapped[str] = mapped_column(primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    phase: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    fence: Mapped[int]
    intent_at: Mapped[datetime]
    result_at: Mapped[datetime | None]


class LifecycleTransition(Base):
    """Permitted state changes, as the database's trigger enforces them.

    A test keeps it equal to `lifecycle.TRANSITIONS`.
    """

    __tablename__ = "tb_lifecycle"

    before: Mapped[str] = mapped_column(primary_key=True)
    after: Mapped[str] = mapped_column(primary_key=True)


class Directive(Base):
    """A person's directive on a task; outranks agents."""

    __tablename__ = "tb_directive"
    __table_args__ = (
        CheckConstraint("state in ('DONE', 'UNDOING', 'RESTORED', 'NOT_RESTORED')", name="state"),
        Index("ix_tb_directive_task_id", "task_id", "directive_id"),
        Index(
            "ix_tb_directive_not_restored",
            "sr_id",
            postgresql_where=sql("state = 'NOT_RESTORED'"),
        ),
        Index(
            "uq_tb_directive_undoing",
            "task_id",
            unique=True,
            postgresql_where=sql("state = 'UNDOING'"),
        ),
    )

    directive_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey(TASK_ID))
    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID))
    kill_id: Mapped[int | None] = mapped_column(ForeignKey("tb_kill.kill_id"), index=True)
    verb: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'"))
    ordered_by: Mapped[str]
    reason: Mapped[str] = mapped_column(default="", server_default="")
    found: Mapped[str]
    """The task's state when the directive was issued."""
    state: Mapped[str]
    outcome: Mapped[str] = mapped_column(default="", server_default="")
    ordered_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Comment(Base):
    """A comment on an issue, by a person or an agent, in Markdown."""

    __tablename__ = "tb_comment"
    __table_args__ = (
        Index("ix_tb_comment_sr_id", "sr_id", "comment_id"),
        Index("ix_tb_comment_author", "author", "sr_id"),
    )

    comment_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID))
    author: Mapped[str]
    body: Mapped[str]
    """Empty once its author has deleted it."""
    created_at: Mapped[datetime]
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]


class Mention(Base):
    """A person whom a comment on an issue mentions."""

    __tablename__ = "tb_issue_mention"

    person_id: Mapped[str] = mapped_column(
        ForeignKey(Person.person_id, ondelete="CASCADE"), primary_key=True
    )
    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID, ondelete="CASCADE"), primary_key=True)


class OutboxEntry(Base):
    """A message or alert to deliver, written in the same transaction as its cause."""

    __tablename__ = "tb_outbox"
    __table_args__ = (
        CheckConstraint("kind in ('message', 'alert', 'notice')", name="kind"),
        Index("ix_tb_outbox_pending", "outbox_id", postgresql_where=sql("delivered_at is null")),
    )

    outbox_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    kind: Mapped[str]
    room: Mapped[str] = mapped_column(default="", server_default="")
    sr_id: Mapped[int | None]
    thread: Mapped[str] = mapped_column(default="", server_default="")
    channel: Mapped[str] = mapped_column(default="", server_default="")
    """The channel that sends it; empty: that of its issue."""
    target: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'"))
    """What else the channel needs to address it, in its own words: a `response_url`, recipients."""
    text: Mapped[str]
    choices: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default=sql("'[]'"))
    """Buttons, see `choices.Choice`."""
    created_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    last_error: Mapped[str | None]
    notice: Mapped[str] = mapped_column(default="", server_default="")
    """What an alert or notice is about, see `NoticeKind`."""
    person_id: Mapped[str | None]
    medium: Mapped[str] = mapped_column(default="", server_default="")
    """How it reaches that person: `sms`, `mail`, or the name of a messenger's channel."""
    cause_id: Mapped[int | None]
    """The alert or notice of which this is one copy."""
    dispatched_at: Mapped[datetime | None]
    """When it was decided who receives an alert or notice."""


class KillSwitchActivation(Base):
    """One activation of the kill switch, which is on until the activation is released."""

    __tablename__ = "tb_kill"
    __table_args__ = (
        # At most one activation is unreleased.
        Index(
            "uq_tb_kill_on", sql("(true)"), unique=True, postgresql_where=sql("released_at is null")
        ),
    )

    kill_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    ordered_by: Mapped[str]
    reason: Mapped[str] = mapped_column(default="", server_default="")
    room: Mapped[str] = mapped_column(default="", server_default="")
    ordered_at: Mapped[datetime]
    reported_at: Mapped[datetime | None]
    released_by: Mapped[str | None]
    release_reason: Mapped[str] = mapped_column(default="", server_default="")
    released_at: Mapped[datetime | None]
    order_id: Mapped[str | None] = mapped_column(unique=True)
    """The order of a person that turned it on, so that one order never does so twice."""
