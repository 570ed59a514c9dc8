"""Tables of proposals, the queue of unassigned issues, linked reports and questions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import ISSUE_ID, TASK_ID
from guardia.db.base import Base
from guardia.org.model import Person

_OPEN: dict[str, Any] = {"postgresql_where": sql("state = 'OPEN'")}
_QUEUED: dict[str, Any] = {"postgresql_where": sql("left_at is null")}
_LINKED: dict[str, Any] = {"postgresql_where": sql("state = 'LINKED'")}


class Proposal(Base):
    """One person, team or agent to whom an issue was proposed or given, and what followed."""

    __tablename__ = "tb_proposal"
    __table_args__ = (
        CheckConstraint("kind in ('person', 'agent', 'team')", name="kind"),
        CheckConstraint(
            "state in ('OPEN', 'ACCEPTED', 'DECLINED', 'LAPSED', 'WITHDRAWN', 'DELEGATED', "
            "'ASSIGNED', 'REPLACED')",
            name="state",
        ),
        Index("ix_tb_proposal_sr_id", "sr_id", sql("proposal_id desc")),
        Index("uq_tb_proposal_open", "sr_id", unique=True, **_OPEN),
        Index("ix_tb_proposal_due", "due_at", **_OPEN),
        Index("ix_tb_proposal_candidate_id", "candidate_id", sql("proposal_id desc"), **_OPEN),
        Index("ix_tb_proposal_proposed_at", "proposed_at"),
    )

    proposal_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID))
    kind: Mapped[str]
    candidate_id: Mapped[str]
    score: Mapped[int | None]
    """How well the candidate fitted; `None` if people chose."""
    reasons: Mapped[list[str]] = mapped_column(default=list, server_default=sql("'[]'"))
    ranking: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default=sql("'[]'"))
    """The best candidates at that moment, each with score and reasons."""
    state: Mapped[str]
    """`DELEGATED`: by the dispatcher, needs no answer. `ASSIGNED`: by people."""
    proposed_by: Mapped[str]
    proposed_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    answered_by: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(default="", server_default="")


class QueueEntry(Base):
    """An unassigned issue, with the person or team that looks after it."""

    __tablename__ = "tb_queue_entry"
    __table_args__ = (
        Index("uq_tb_queue_entry_open", "sr_id", unique=True, **_QUEUED),
        Index("ix_tb_queue_entry_open", sql("entry_id desc"), **_QUEUED),
    )

    entry_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID))
    owner_id: Mapped[str | None] = mapped_column(ForeignKey(Person.person_id))
    owner_reason: Mapped[str] = mapped_column(default="", server_default="")
    team_id: Mapped[str | None]
    """The team that it was assigned to, if any."""
    why: Mapped[str] = mapped_column(default="", server_default="")
    queued_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
    left_by: Mapped[str | None]


class IssueReport(Base):
    """A further report (`sr_id`) of an incident that another issue (`main_id`) repairs."""

    __tablename__ = "tb_issue_report"
    __table_args__ = (
        CheckConstraint("state in ('LINKED', 'UNLINKED', 'ANSWERED', 'RELEASED')", name="state"),
        CheckConstraint("sr_id <> main_id", name="other"),
        Index("uq_tb_issue_report_linked", "sr_id", unique=True, **_LINKED),
        Index("ix_tb_issue_report_main_id", "main_id", "report_id"),
        Index("ix_tb_issue_report_sr_id", "sr_id", sql("report_id desc")),
        Index("ix_tb_issue_report_open", "report_id", **_LINKED),
    )

    report_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID))
    main_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID))
    why: Mapped[str] = mapped_column(default="", server_default="")
    linked_by: Mapped[str]
    linked_at: Mapped[datetime]
    state: Mapped[str]
    """`RELEASED`: the other issue ended without a repair, so this one goes on alone."""
    ended_by: Mapped[str | None]
    ended_at: Mapped[datetime | None]


class Question(Base):
    """The question which server a request means, asked in its conversation."""

    __tablename__ = "tb_question"
    __table_args__ = (
        CheckConstraint(
            "state in ('OPEN', 'ANSWERED', 'UNANSWERED', 'UNCLEAR', 'WITHDRAWN')", name="state"
        ),
        Index("uq_tb_question_open", "sr_id", unique=True, **_OPEN),
        Index("ix_tb_question_sr_id", "sr_id", sql("question_id desc")),
        Index("ix_tb_question_room", "channel", "room", "account", **_OPEN),
        Index("ix_tb_question_due", "due_at", **_OPEN),
    )

    question_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID))
    task_id: Mapped[int] = mapped_column(ForeignKey(TASK_ID))
    text: Mapped[str]
    choices: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default=sql("'[]'"))
    """`server` and `label` of each; empty: any server of the requester's institution."""
    round: Mapped[int] = mapped_column(default=1, server_default=sql("1"))
    """How often it has been asked."""
    state: Mapped[str]
    channel: Mapped[str]
    room: Mapped[str] = mapped_column(default="", server_default="")
    thread: Mapped[str] = mapped_column(default="", server_default="")
    account: Mapped[str | None]
    """`channel:account` of the requester."""
    asked_at: Mapped[datetime]
    due_at: Mapped[datetime]
    answer: Mapped[str] = mapped_column(default="", server_default="")
    answered_by: Mapped[str | None]
    answered_at: Mapped[datetime | None]
