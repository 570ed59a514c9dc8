"""Table of people's addresses of the change calendar's feed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base


class CalendarFeed(Base):
    """The feed of a person; a new address replaces the old one."""

    __tablename__ = "tb_calendar_feed"

    person_id: Mapped[str] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
