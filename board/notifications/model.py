"""Tables of notifications: what people prefer, and emergencies that wait for an answer."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base
from guardia.db.columns import CleanJsonb
from guardia.org.model import Person


class NoticePreference(Base):
    """How a person is to be notified; unset values are those of the org chart."""

    __tablename__ = "tb_notice_preference"

    person_id: Mapped[str] = mapped_column(ForeignKey(Person.person_id), primary_key=True)
    phone: Mapped[str] = mapped_column(default="", server_default="")
    mail: Mapped[str] = mapped_column(default="", server_default="")
    media: Mapped[list[str] | None] = mapped_column(CleanJsonb(none_as_null=True))
    quiet_from: Mapped[str] = mapped_column(default="", server_default="")
    quiet_until: Mapped[str] = mapped_column(default="", server_default="")
    digest_minutes: Mapped[int | None]
    """Notices of so many minutes are sent together; 0: each at once."""
    updated_at: Mapped[datetime]


class OnCallAlarm(Base):
    """An emergency for which people are called one after the other until one answers."""

    __tablename__ = "tb_on_call"
    __table_args__ = (
        CheckConstraint("state in ('WAITING', 'ACKNOWLEDGED', 'EXHAUSTED')", name="state"),
        Index("uq_tb_on_call_outbox_id", "outbox_id", unique=True),
        Index("ix_tb_on_call_next_at", "next_at", postgresql_where=sql("state = 'WAITING'")),
    )

    on_call_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    outbox_id: Mapped[int]
    kind: Mapped[str]
    sr_id: Mapped[int | None]
    text: Mapped[str]
    state: Mapped[str]
    step: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    """The next step of the policy's escalation."""
    called: Mapped[list[str]] = mapped_column(default=list, server_default=sql("'[]'"))
    next_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    acknowledged_by: Mapped[str | None]
    acknowledged_at: Mapped[datetime | None]
