"""Table of people's commands: what was typed, how it was read, what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base
from guardia.org.model import Person


class CommandRecord(Base):
    """A person's command; its states are those of `lifecycle.CommandState`."""

    __tablename__ = "tb_command"
    __table_args__ = (
        CheckConstraint(
            "state in ('CLARIFY', 'CONFIRM', 'SCHEDULED', 'RUNNING', 'DONE', 'ANSWERED', "
            "'REFUSED', 'CANCELLED', 'EXPIRED', 'MISSED', 'UNKNOWN')",
            name="state",
        ),
        Index("ix_tb_command_person_id", "person_id", sql("command_id desc")),
        Index("ix_tb_command_run_at", "run_at", postgresql_where=sql("state = 'SCHEDULED'")),
        Index(
            "ix_tb_command_open",
            "command_id",
            postgresql_where=sql("state in ('CLARIFY', 'CONFIRM', 'RUNNING')"),
        ),
    )

    command_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey(Person.person_id))
    rights: Mapped[list[str] | None]
    """The only rights of the access token it came with; `None`: all of the person's role."""
    channel: Mapped[str]
    room: Mapped[str] = mapped_column(default="", server_default="")
    thread: Mapped[str] = mapped_column(default="", server_default="")
    context_id: Mapped[int | None]
    """The issue on whose page or in whose thread it was typed."""
    text: Mapped[str]
    structure: Mapped[dict[str, Any]]
    options: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default=sql("'[]'"))
    """The choices of a question that was asked back."""
    answers: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'"))
    """What the person has chosen, by what the question was about."""
    state: Mapped[str]
    outcome: Mapped[str] = mapped_column(default="", server_default="")
    sr_id: Mapped[int | None]
    """The issue that it concerned in the end."""
    path: Mapped[str] = mapped_column(default="", server_default="")
    """The page where its result shows."""
    undo: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'"))
    """The command that takes it back, and the last directive before it; `{}`: none."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    """Until when it can be confirmed, answered or taken back."""
    run_at: Mapped[datetime | None]
    """When it is to run."""
    begun_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
