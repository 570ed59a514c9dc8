"""Table of the reads of servers that pages have asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base
from guardia.org.model import Person


class ServerReading(Base):
    """One read of a server, carried out by a worker: its host key, a probe, or a check."""

    __tablename__ = "tb_server_reading"
    __table_args__ = (
        CheckConstraint("what in ('key', 'probe', 'check')", name="what"),
        CheckConstraint("state in ('waiting', 'running', 'done', 'failed')", name="state"),
        Index("ix_tb_server_reading_server_id", "server_id", sql("reading_id desc")),
    )

    reading_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    server_id: Mapped[str]
    """Its id; of a server that is being enrolled, the id that it will have."""
    what: Mapped[str]
    state: Mapped[str] = mapped_column(default="waiting", server_default="waiting")
    target: Mapped[dict[str, Any]]
    """The server's entry, or what is known of one that is being enrolled."""
    result: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'"))
    why: Mapped[str] = mapped_column(default="", server_default="")
    """Why it failed."""
    person_id: Mapped[str | None] = mapped_column(ForeignKey(Person.person_id))
    """Who asked; `None`: the operator."""
    asked_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
