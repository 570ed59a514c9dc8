"""Tables of documents, their versions and the passages that are searched and cited."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.artifacts.model import Blob
from guardia.db.base import Base
from guardia.org.model import Person

_EMPTY_LIST = text("'[]'::jsonb")


class Document(Base):
    """A document; what it says is in its versions.

    Institution and server are ids without a foreign key: a document outlives what it describes,
    and an id that no longer exists permits no customer to read it.
    """

    __tablename__ = "tb_document"
    __table_args__ = (
        CheckConstraint("kind in ('document', 'runbook')", name="kind"),
        CheckConstraint("audience in ('all', 'institution', 'roles')", name="audience"),
        CheckConstraint("state in ('DRAFT', 'PUBLISHED', 'REMOVED')", name="state"),
        UniqueConstraint("runbook_id"),
        Index("ix_tb_document_inst_id", "inst_id", "document_id"),
        Index("ix_tb_document_server_id", "server_id", "document_id"),
        Index("ix_tb_document_field", "field", "document_id"),
        Index("ix_tb_document_owner_id", "owner_id", "document_id"),
        Index("ix_tb_document_published_id", "published_id"),
        Index(
            "ix_tb_document_expires_at",
            "expires_at",
            postgresql_where=text("expires_at is not null"),
        ),
    )

    document_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    title: Mapped[str]
    kind: Mapped[str] = mapped_column(default="document", server_default="document")
    runbook_id: Mapped[str | None]
    """Id in the front matter of a runbook."""
    field: Mapped[str] = mapped_column(default="", server_default="")
    """What it is about, such as `WAS`; a skill of the org chart or empty."""
    inst_id: Mapped[str | None]
    """The only institution it is for; `None`: every institution."""
    server_id: Mapped[str | None]
    owner_id: Mapped[str | None] = mapped_column(ForeignKey(Person.person_id))
    audience: Mapped[str] = mapped_column(default="roles", server_default="roles")
    """Who may read it: see `rights.readable_by`."""
    roles: Mapped[list[str]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    """Roles that may read it if the audience is `roles`."""
    expires_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(default="DRAFT", server_default="DRAFT")
    published_id: Mapped[int | None]
    """The version that is searched and cited; `None`: none yet."""
    source: Mapped[str] = mapped_column(default="", server_default="")
    """Where it came from, such as `attachment:12`; empty: a person wrote or uploaded it."""
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class DocumentVersion(Base):
    """What a document said at one time; its bytes are a blob, its text was read from them."""

    __tablename__ = "tb_document_version"
    __table_args__ = (
        UniqueConstraint("document_id", "number"),
        CheckConstraint("reading in ('WAITING', 'READ', 'UNREADABLE')", name="reading"),
        CheckConstraint(
            "review in ('DRAFT', 'IN_REVIEW', 'PUBLISHED', 'REJECTED', 'SUPERSEDED')",
            name="review",
        ),
        Index("ix_tb_document_version_sha256", "sha256"),
        Index(
            "ix_tb_document_version_review",
            "version_id",
            postgresql_where=text("review = 'IN_REVIEW'"),
        ),
    )

    version_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("tb_document.document_id"))
    number: Mapped[int]
    """1 for the first version of its document."""
    sha256: Mapped[str] = mapped_column(ForeignKey(Blob.sha256))
    size: Mapped[int]
    file_name: Mapped[str]
    format: Mapped[str] = mapped_column(default="", server_default="")
    """Name of the loader that read it; empty until then."""
    reading: Mapped[str] = mapped_column(default="WAITING", server_default="WAITING")
    problem: Mapped[str] = mapped_column(default="", server_default="")
    """Why it could not be read."""
    body: Mapped[str] = mapped_column(default="", server_default="")
    """The text that was read from it, headings and tables as Markdown."""
    pages: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    read_ms: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    review: Mapped[str] = mapped_column(default="DRAFT", server_default="DRAFT")
    author: Mapped[str]
    """The actor that added it."""
    comment: Mapped[str] = mapped_column(default="", server_default="")
    """What changed, as the author says."""
    restored_from: Mapped[int | None]
    """Number of the version that it repeats."""
    created_at: Mapped[datetime]
    submitted_at: Mapped[datetime | None]
    reviewed_by: Mapped[str | None]
    reviewed_at: Mapped[datetime | None]
    review_note: Mapped[str] = mapped_column(default="", server_default="")


class Passage(Base):
    """A part of a version that keeps its place: the unit of search and citation."""

    __tablename__ = "tb_passage"
    __table_args__ = (
        UniqueConstraint("version_id", "ordinal"),
        Index("ix_tb_passage_sha256", "sha256"),
    )

    passage_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    version_id: Mapped[int] = mapped_column(
        ForeignKey("tb_document_version.version_id", ondelete="CASCADE")
    )
    ordinal: Mapped[int]
    """1 for the first passage of its version; its anchor on the page is `p<ordinal>`."""
    heading_path: Mapped[list[str]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    """Headings above it, the outermost first."""
    page: Mapped[int | None]
    sheet: Mapped[str] = mapped_column(default="", server_default="")
    text: Mapped[str]
    sha256: Mapped[str]
    """Digest of heading path and text, so that equal passages are encoded once."""
