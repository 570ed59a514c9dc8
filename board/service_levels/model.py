"""Tables of service levels: clocks, the moments that move them, and days added by hand."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import ISSUE_ID
from guardia.db.base import Base


class ServiceClock(Base):
    """A clock of an issue: its target, the periods in which it ran, and what is due next."""

    __tablename__ = "tb_service_clock"
    __table_args__ = (
        CheckConstraint("kind in ('response', 'resolution')", name="kind"),
        CheckConstraint(
            "state in ('RUNNING', 'PAUSED', 'KEPT', 'BROKEN', 'CANCELLED')", name="state"
        ),
        CheckConstraint("hours in ('business', 'always')", name="hours"),
        Index(
            "ix_tb_service_clock_next_at", "next_at", postgresql_where=sql("next_at is not null")
        ),
        Index(
            "ix_tb_service_clock_stopped_at",
            "stopped_at",
            "inst_id",
            postgresql_where=sql("stopped_at is not null"),
        ),
        Index(
            "ix_tb_service_clock_overdue",
            "broken_at",
            "sr_id",
            postgresql_where=sql("state in ('RUNNING', 'PAUSED') and broken_at is not null"),
        ),
        Index(
            "ix_tb_service_clock_history",
            "category",
            "priority",
            sql("stopped_at desc"),
            postgresql_where=sql("kind = 'resolution' and state in ('KEPT', 'BROKEN')"),
        ),
    )

    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    inst_id: Mapped[str | None]
    category: Mapped[str | None]
    priority: Mapped[str]
    hours: Mapped[str]
    target_seconds: Mapped[int]
    phase: Mapped[str]
    spans: Mapped[list[dict[str, Any]]]
    """Periods in which it ran, `from` and `until`; the end is null while it runs."""
    started_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    """`None` while it is paused, and after its end."""
    next_at: Mapped[datetime | None]
    """When the scheduler has to warn or escalate next."""
    warned_at: Mapped[datetime | None]
    broken_at: Mapped[datetime | None]
    """When the target was exceeded."""
    notified_at: Mapped[datetime | None]
    """When people were notified that it was exceeded."""
    escalated_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]


class ServiceMoment(Base):
    """A change of an issue that its clocks have not followed yet; triggers write it."""

    __tablename__ = "tb_service_moment"

    moment_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    sr_id: Mapped[int] = mapped_column(index=True)
    at: Mapped[datetime]
    status: Mapped[str]
    is_assigned: Mapped[bool]
    is_waiting: Mapped[bool]
    is_new: Mapped[bool]
    """Whether the issue was just opened; clocks start only then."""


class CalendarDay(Base):
    """A day that is closed, or worked, unlike the calendar of public holidays says."""

    __tablename__ = "tb_calendar_day"

    inst_id: Mapped[str] = mapped_column(primary_key=True)
    """Empty: for all institutions."""
    day: Mapped[date] = mapped_column(primary_key=True)
    is_open: Mapped[bool]
    name: Mapped[str]
    added_by: Mapped[str]
    added_at: Mapped[datetime]


class Satisfaction(Base):
    """What the requester thinks of the resolution, once."""

    __tablename__ = "tb_satisfaction"
    __table_args__ = (
        CheckConstraint("score between 1 and 5", name="score"),
        Index("ix_tb_satisfaction_given_at", "given_at"),
    )

    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID), primary_key=True)
    person_id: Mapped[str]
    score: Mapped[int]
    comment: Mapped[str] = mapped_column(default="", server_default="")
    given_at: Mapped[datetime]
    changed_at: Mapped[datetime]
