"""Tables of goals: what the board wants, the plan that its agent made of it, whom it must hire."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.goal import GoalState
from guardia.db.base import Base

_ISSUE = "tb_sr_request.sr_id"
_STATES = ", ".join(f"'{s}'" for s in GoalState)


class Goal(Base):
    """A goal; its title, text and talk are those of its issue, which has no tasks."""

    __tablename__ = "tb_goal"
    __table_args__ = (
        CheckConstraint(f"state in ({_STATES})", name="state"),
        Index("ix_tb_goal_open", "sr_id", postgresql_where=sql("state in ('GIVEN', 'ACTIVE')")),
    )

    sr_id: Mapped[int] = mapped_column(ForeignKey(_ISSUE), primary_key=True, autoincrement=False)
    state: Mapped[str]
    agent_id: Mapped[str | None]
    """Who breaks it down and watches over it."""
    given_by: Mapped[str]
    due_on: Mapped[date | None]
    fence: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    run_id: Mapped[int | None]
    pieces: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default=sql("'[]'"))
    """The sentences and clauses that its text was divided into, as people have reworded them."""
    plan_hash: Mapped[str | None]
    """What an approval is bound to: the parts as they were shown."""
    thought_by: Mapped[str] = mapped_column(default="", server_default="")
    stuck_at: Mapped[datetime | None]
    """Since when all its issues have ended, and not all well."""
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    end_reason: Mapped[str] = mapped_column(default="", server_default="")
    ended_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class GoalPart(Base):
    """One issue that the plan wants, or one question that stands before it."""

    __tablename__ = "tb_goal_part"
    __table_args__ = (
        CheckConstraint("state in ('PROPOSED', 'TAKEN_OUT', 'RECEIVED')", name="state"),
    )

    sr_id: Mapped[int] = mapped_column(ForeignKey("tb_goal.sr_id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    piece: Mapped[int]
    """Number of the piece of the goal's text that it comes from."""
    text: Mapped[str]
    kind: Mapped[str]
    category: Mapped[str]
    priority: Mapped[str]
    institution: Mapped[str | None]
    server: Mapped[str | None]
    action_type: Mapped[str | None]
    agent_id: Mapped[str | None]
    engineer_id: Mapped[str | None]
    due_on: Mapped[date | None]
    reasons: Mapped[list[str]] = mapped_column(default=list, server_default=sql("'[]'"))
    question: Mapped[str] = mapped_column(default="", server_default="")
    """What a person must say before it can become an issue."""
    state: Mapped[str]
    hire_id: Mapped[int | None] = mapped_column(ForeignKey("tb_hire.hire_id"))
    child_id: Mapped[int | None] = mapped_column(ForeignKey(_ISSUE))


class Hire(Base):
    """An agent's wish for a new colleague; a person decides."""

    __tablename__ = "tb_hire"
    __table_args__ = (
        CheckConstraint("state in ('WAITING', 'APPROVED', 'REJECTED')", name="state"),
        Index(
            "uq_tb_hire_waiting",
            "agent_id",
            unique=True,
            postgresql_where=sql("state = 'WAITING'"),
        ),
        Index("ix_tb_hire_sr_id", "sr_id"),
    )

    hire_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    sr_id: Mapped[int | None] = mapped_column(ForeignKey(_ISSUE))
    """The goal or issue that needs it."""
    requested_by: Mapped[str]
    agent_id: Mapped[str]
    """The id that the new agent is to have."""
    title: Mapped[str]
    skills: Mapped[list[str]] = mapped_column(default=list, server_default=sql("'[]'"))
    reports_to: Mapped[str | None]
    monthly_won: Mapped[int | None]
    """What it is expected to cost a month; ``None`` where nobody can tell."""
    estimate: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'"))
    """What that rests on: see ``desk.estimate``."""
    reason: Mapped[str]
    state: Mapped[str]
    decided_by: Mapped[str | None]
    decision_reason: Mapped[str] = mapped_column(default="", server_default="")
    decided_at: Mapped[datetime | None]
    revision: Mapped[int | None]
    """The revision of the org chart that the approval made."""
    created_at: Mapped[datetime]
