"""Table of issues' texts in the form in which they are searched."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import ISSUE_ID
from guardia.db.base import Base


class SearchText(Base):
    """Title, text and servers of an issue as they are searched; triggers keep it."""

    __tablename__ = "tb_issue_search"
    __table_args__ = (
        Index(
            "ix_tb_issue_search_pairs",
            sql("search_pairs(form)"),
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        ),
    )

    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID, ondelete="CASCADE"), primary_key=True)
    form: Mapped[str]
