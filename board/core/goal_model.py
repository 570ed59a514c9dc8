"""Table of goals: their state, their agent and the plan that it made."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.actors import Actor
from guardia.board.core.goal_lifecycle import GoalState
from guardia.board.core.model import ISSUE_ID
from guardia.db.base import Base

_STATES = ", ".join(f"'{s}'" for s in GoalState)


class Goal(Base):
    """A goal; its title, text and comments are those of its issue, which has no tasks."""

    __tablename__ = "tb_goal"
    __table_args__ = (
        CheckConstraint(f"state in ({_STATES})", name="state"),
        Index("ix_tb_goal_open", "sr_id", postgresql_where=sql("state in ('GIVEN', 'ACTIVE')")),
    )

    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID), primary_key=True, autoincrement=False)
    state: Mapped[str]
    agent_id: Mapped[str | None]
    """The agent that breaks it down and reviews its progress."""
    given_by: Mapped[str]
    due_on: Mapped[date | None]
    fence: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    run_id: Mapped[int | None]
    pieces: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default=sql("'[]'"))
    """Sentences and clauses of its text, as reworded by people."""
    plan_hash: Mapped[str | None]
    """Hash of the parts as shown; an approval is bound to it."""
    thought_by: Mapped[str] = mapped_column(default="", server_default="")
    stuck_at: Mapped[datetime | None]
    """Since when all its issues have ended with at least one failure."""
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    end_reason: Mapped[str] = mapped_column(default="", server_default="")
    ended_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    @property
    def actor(self) -> Actor:
        """The agent of the goal; every goal is created with one."""
        assert self.agent_id is not None
        return Actor.agent(self.agent_id)
