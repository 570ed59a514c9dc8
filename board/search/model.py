"""Tables of the index of passages, of questions, and of what is related to an issue."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import ISSUE_ID
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
        Index("ix_tb_document_question_person_id", "person_id", "question_id"),
        Index(
            "ix_tb_document_question_taken",
            "asked_at",
            postgresql_where=text("state = 'TAKEN'"),
        ),
        Index(
            "ix_tb_document_question_unanswered",
            "asked_at",
            postgresql_where=text("state = 'ANSWERED' and not fits"),
        ),
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


class IssueRelated(Base):
    """What a worker has found for the page of an issue; rights are checked when it is shown."""

    __tablename__ = "tb_issue_related"
    __table_args__ = (
        CheckConstraint("state in ('WAITING', 'TAKEN', 'FOUND')", name="state"),
        Index(
            "ix_tb_issue_related_waiting",
            "wanted_at",
            postgresql_where=text("state = 'WAITING'"),
        ),
        Index("ix_tb_issue_related_wanted_at", "wanted_at"),
    )

    sr_id: Mapped[int] = mapped_column(
        ForeignKey(ISSUE_ID, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    state: Mapped[str] = mapped_column(default="WAITING", server_default="WAITING")
    text_digest: Mapped[str] = mapped_column(default="", server_default="")
    """Of the text for which it was found."""
    documents: Mapped[list[dict[str, Any]]] = mapped_column(
        default=list, server_default=_EMPTY_LIST
    )
    """Passages for the staff, as in `DocumentQuestion.passages`."""
    open_documents: Mapped[list[dict[str, Any]]] = mapped_column(
        default=list, server_default=_EMPTY_LIST
    )
    """Passages for the customers of its institution, found among what they may read."""
    issues: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    """Similar issues that have ended, the most similar first, each with its score."""
    wanted_at: Mapped[datetime]
    """When a person last opened the page."""
    found_at: Mapped[datetime | None]
