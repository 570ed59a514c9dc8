"""Table of reactions to issues and comments."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import ISSUE_ID
from guardia.db.base import Base

REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")


class Reaction(Base):
    """A person's reaction to an issue or to one of its comments; one of each kind."""

    __tablename__ = "tb_reaction"
    __table_args__ = (
        CheckConstraint(
            f"content in ({', '.join(repr(name) for name in REACTIONS)})", name="content"
        ),
        Index(
            "uq_tb_reaction_one",
            "sr_id",
            sql("coalesce(comment_id, 0)"),
            "person_id",
            "content",
            unique=True,
        ),
        Index("ix_tb_reaction_comment_id", "comment_id"),
    )

    reaction_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID))
    comment_id: Mapped[int | None] = mapped_column(ForeignKey("tb_comment.comment_id"))
    """`None`: to the issue itself."""
    person_id: Mapped[str]
    content: Mapped[str]
    created_at: Mapped[datetime]
