"""Table of the cards that people and roles have on their start page."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base


class HomeLayout(Base):
    """The cards of one start page; without a row, those of the role apply."""

    __tablename__ = "tb_home_layout"

    owner: Mapped[str] = mapped_column(primary_key=True)
    """`person:<id>`, or `role:<name>` for the default that an administrator has set."""
    cards: Mapped[list[str]]
    """Names of cards, in order; a name that is unknown by now is skipped."""
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]
