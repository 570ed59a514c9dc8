"""Tables of the agents' notes and all their versions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import ISSUE_ID
from guardia.db.base import Base


class Note(Base):
    """A note in an agent's notebook: working memory of an issue, or a lasting lesson."""

    __tablename__ = "tb_note"
    __table_args__ = (
        CheckConstraint("kind in ('working', 'lesson')", name="kind"),
        CheckConstraint(
            "outcome in ('worked', 'failed', 'unchanged', 'not_undone', 'unknown', 'unfit')",
            name="outcome",
        ),
        Index("ix_tb_note_agent_id", "agent_id", "kind", sql("updated_at desc")),
        Index(
            "uq_tb_note_working",
            "agent_id",
            "sr_id",
            unique=True,
            postgresql_where=sql("kind = 'working'"),
        ),
        Index(
            "uq_tb_note_lesson",
            "agent_id",
            "server",
            "runbook",
            unique=True,
            postgresql_where=sql("kind = 'lesson' and runbook is not null"),
        ),
    )

    note_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    agent_id: Mapped[str]
    kind: Mapped[str]
    sr_id: Mapped[int | None] = mapped_column(ForeignKey(ISSUE_ID))
    """The issue that it is about, or the last one that taught it."""
    server: Mapped[str | None]
    runbook: Mapped[str | None]
    outcome: Mapped[str | None]
    """The outcome of the runbook on that server, last time."""
    body: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True, server_default=sql("true"))
    """False if a person has struck it out; it is then no longer used."""
    version: Mapped[int] = mapped_column(default=1, server_default=sql("1"))
    written_by: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class NoteVersion(Base):
    """A version of a note, with time and author."""

    __tablename__ = "tb_note_version"

    note_id: Mapped[int] = mapped_column(ForeignKey("tb_note.note_id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    body: Mapped[str]
    active: Mapped[bool]
    written_by: Mapped[str]
    written_at: Mapped[datetime]
