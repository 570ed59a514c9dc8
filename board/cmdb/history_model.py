"""Tables of the CMDB's history, of keys that servers offered, and of the duty roster."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base
from guardia.db.columns import CleanJsonb
from guardia.org.model import Institution, Person, Server

_NULLABLE_JSON = CleanJsonb(none_as_null=True)


class CmdbRevision(Base):
    """One set of changes that were made together."""

    __tablename__ = "tb_cmdb_revision"

    revision: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    source: Mapped[str]
    """What made it: the name of a file, or of a command."""
    sha256: Mapped[str]
    """Of the file; empty for a change without one."""
    changes: Mapped[int]
    author: Mapped[str]
    created_at: Mapped[datetime]
    back_to: Mapped[int | None]
    """The revision whose state it restored."""


class CmdbChange(Base):
    """One changed entry of a revision, with its values before and after."""

    __tablename__ = "tb_cmdb_change"
    __table_args__ = (Index("ix_tb_cmdb_change_kind_key", "kind", "key", "revision"),)

    revision: Mapped[int] = mapped_column(ForeignKey("tb_cmdb_revision.revision"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    before: Mapped[dict[str, Any] | None] = mapped_column(_NULLABLE_JSON)
    """`None`: it did not exist."""
    after: Mapped[dict[str, Any] | None] = mapped_column(_NULLABLE_JSON)
    """`None`: it was removed."""


class OfferedKey(Base):
    """The public key that a server without a confirmed one offered last."""

    __tablename__ = "tb_offered_key"

    server_id: Mapped[str] = mapped_column(
        ForeignKey(Server.server_id, ondelete="CASCADE"), primary_key=True
    )
    host_key: Mapped[str]
    address: Mapped[str]
    seen_at: Mapped[datetime]


class Duty(Base):
    """A weekly pattern of duty for a field, at one institution or at all of them."""

    __tablename__ = "tb_duty"
    __table_args__ = (
        CheckConstraint("holidays in ('as_usual', 'off', 'only')", name="holidays"),
        CheckConstraint("(person_id is null) <> (team_id is null)", name="holder"),
    )

    duty_id: Mapped[str] = mapped_column(primary_key=True)
    field: Mapped[str]
    inst_id: Mapped[str | None] = mapped_column(ForeignKey(Institution.inst_id))
    person_id: Mapped[str | None] = mapped_column(ForeignKey(Person.person_id))
    team_id: Mapped[str | None] = mapped_column(ForeignKey("tb_team.team_id"))
    days: Mapped[list[str]] = mapped_column(default=list, server_default=text("'[]'"))
    begins: Mapped[str]
    ends: Mapped[str]
    zone: Mapped[str]
    holidays: Mapped[str]
    since: Mapped[str] = mapped_column(default="", server_default="")
    until: Mapped[str] = mapped_column(default="", server_default="")


class DutyException(Base):
    """Days on which another person, or no one, takes over a duty."""

    __tablename__ = "tb_duty_exception"

    duty_id: Mapped[str] = mapped_column(
        ForeignKey("tb_duty.duty_id", ondelete="CASCADE"), primary_key=True
    )
    first_day: Mapped[str] = mapped_column(primary_key=True)
    last_day: Mapped[str]
    person_id: Mapped[str | None] = mapped_column(ForeignKey(Person.person_id))
    reason: Mapped[str] = mapped_column(default="", server_default="")
