"""Tables of rights: requests, history, reviews."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base
from guardia.org.model import Person


class RightRequest(Base):
    """A right that waits for a second person, or waited for one."""

    __tablename__ = "tb_right_request"
    __table_args__ = (
        CheckConstraint(
            "state in ('WAITING', 'APPROVED', 'DONE', 'REJECTED', 'WITHDRAWN', 'LAPSED')",
            name="state",
        ),
        Index(
            "uq_tb_right_request_open",
            "kind",
            "person_id",
            "subject",
            unique=True,
            postgresql_where=text("state in ('WAITING', 'APPROVED')"),
        ),
        Index("ix_tb_right_request_state", "state", text("request_id desc")),
    )

    request_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    kind: Mapped[str]
    """One of `policy.Kind`."""
    person_id: Mapped[str] = mapped_column(ForeignKey(Person.person_id))
    """Who would have the right."""
    subject: Mapped[str]
    """What it is, in one word, such as a role; equal requests are one."""
    wanted: Mapped[dict[str, Any]]
    reason: Mapped[str] = mapped_column(default="", server_default="")
    state: Mapped[str]
    requested_by: Mapped[str]
    requested_at: Mapped[datetime]
    lapses_at: Mapped[datetime]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(default="", server_default="")


class RightChange(Base):
    """One right that was given, changed or withdrawn; kept for three years at least."""

    __tablename__ = "tb_right_change"
    __table_args__ = (Index("ix_tb_right_change_person_id", "person_id", text("change_id desc")),)

    change_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    person_id: Mapped[str]
    kind: Mapped[str]
    """One of `history.CHANGES`."""
    before: Mapped[str | None]
    after: Mapped[str | None]
    made_by: Mapped[str]
    decided_by: Mapped[str | None]
    """The second person, if one was needed."""
    reason: Mapped[str] = mapped_column(default="", server_default="")
    request_id: Mapped[int | None]
    made_at: Mapped[datetime]


class RightReview(Base):
    """What a reviewer found of one person's rights in one period."""

    __tablename__ = "tb_right_review"
    __table_args__ = (CheckConstraint("outcome in ('CONFIRMED', 'REVOKED')", name="outcome"),)

    period: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey(Person.person_id), primary_key=True)
    role: Mapped[str]
    outcome: Mapped[str]
    reviewed_by: Mapped[str]
    reviewed_at: Mapped[datetime]
    note: Mapped[str] = mapped_column(default="", server_default="")


class RightReminder(Base):
    """A reminder of a review that was sent; each is sent once, on however many hosts."""

    __tablename__ = "tb_right_reminder"

    period: Mapped[str] = mapped_column(primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    sent_at: Mapped[datetime]
