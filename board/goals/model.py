"""TODO."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

import guardia.board.hiring.model  # noqa: F401 - the table that a part may wait for
from guardia.board.core.goal_model import _ISSUE
from guardia.db.base import Base


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
