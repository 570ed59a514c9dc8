"""Table of the parts of a goal's plan."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

import guardia.board.hiring.model  # noqa: F401 - the table that a part may wait for
from guardia.board.core.goal_model import Goal
from guardia.board.core.model import ISSUE_ID
from guardia.board.hiring.model import HireRequest
from guardia.db.base import Base


class GoalPart(Base):
    """One planned issue of a goal, or a question to answer before it can be planned."""

    __tablename__ = "tb_goal_part"
    __table_args__ = (
        CheckConstraint("state in ('PROPOSED', 'TAKEN_OUT', 'RECEIVED')", name="state"),
    )

    sr_id: Mapped[int] = mapped_column(ForeignKey(Goal.sr_id), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    piece: Mapped[int]
    """Number of the piece of the goal's text that the part was made from."""
    text: Mapped[str]
    kind: Mapped[str]
    category: Mapped[str]
    priority: Mapped[str]
    institution: Mapped[str | None]
    server: Mapped[str | None]
    guessed: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    """Whether the goal's text does not name the server: people choose it, and open the part only
    if they mark it."""
    action_type: Mapped[str | None]
    agent_id: Mapped[str | None]
    engineer_id: Mapped[str | None]
    due_on: Mapped[date | None]
    reasons: Mapped[list[str]] = mapped_column(default=list, server_default=sql("'[]'"))
    question: Mapped[str] = mapped_column(default="", server_default="")
    """The question that a person must answer before the part can become an issue."""
    state: Mapped[str]
    hire_id: Mapped[int | None] = mapped_column(ForeignKey(HireRequest.hire_id))
    child_id: Mapped[int | None] = mapped_column(ForeignKey(ISSUE_ID))
