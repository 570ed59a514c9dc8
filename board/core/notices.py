"""Table of notices to people; `outbox.notify` writes them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base


class Notice(Base):
    """A notice to a person, shown on their page."""

    __tablename__ = "tb_notice"
    __table_args__ = (
        Index("ix_tb_notice_person_id", "person_id", sql("notice_id desc")),
        Index("uq_tb_notice_outbox_id", "outbox_id", "person_id", unique=True),
        Index("ix_tb_notice_due_at", "due_at", postgresql_where=sql("due_at is not null")),
    )

    notice_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    person_id: Mapped[str]
    kind: Mapped[str]
    sr_id: Mapped[int | None]
    approval_id: Mapped[int | None]
    principal_id: Mapped[str | None]
    created_at: Mapped[datetime]
    text: Mapped[str] = mapped_column(default="", server_default="")
    outbox_id: Mapped[int | None]
    """The message that caused it."""
    in_room: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    """Whether the person reads the same in the room of the issue."""
    read_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    """When it is sent by the person's media, unless it was sent at once."""
