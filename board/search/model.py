"""Tables of the index of passages and of the questions that are asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base
from guardia.org.model import Person

_EMPTY_LIST = text("'[]'::jsonb")


class IndexedText(Base):
    """A text as one model has encoded it; equal texts are encoded once."""

    __tablename__ = "tb_indexed_text"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    """Digest of title, headings and text."""
    model: Mapped[str] = mapped_column(primary_key=True)
    """Id of the model; empty: words alone."""
    words: Mapped[str]
    """The words that are searched, one on each line."""
    vector: Mapped[bytes | None]
    """Numbers of two bytes, little-endian; `None`: words alone."""
    created_at: Mapped[datetime]


class DocumentQuestion(Base):
    """A question to the documents, and the passages that a worker has found."""

    __tablename__ = "tb_document_question"
    __table_args__ = (
        CheckConstraint("state in ('WAITING', 'TAKEN', 'ANSWERED', 'FAILED')", name="state"),
        Index(
            "ix_tb_document_question_waiting",
            "question_id",
            postgresql_where=text("state = 'WAITING'"),
        ),
        Index("ix_tb_document_question_asked_at", "asked_at"),
    )

    question_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey(Person.person_id))
    question: Mapped[str]
    state: Mapped[str] = mapped_column(default="WAITING", server_default="WAITING")
    fits: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether the passages answer it; if not, people are to be asked."""
    confidence: Mapped[float] = mapped_column(default=0.0, server_default=text("0"))
    passages: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    """Ids of passages, best first, with their score and the quoted parts."""
    answer: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    """Sentences of a composed answer, each with the passage that it cites; empty: none."""
    composing: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether a composed answer may still come."""
    asked_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
