"""Tables of documents, their versions, the passages that are cited, and how they are used."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.artifacts.model import Blob
from guardia.board.core.model import ISSUE_ID
from guardia.db.base import Base
from guardia.org.model import Person

_EMPTY_LIST = text("'[]'::jsonb")
_ZERO = text("0")
_DOCUMENT_ID = "tb_document.document_id"
_PASSAGE_ID = "tb_passage.passage_id"


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
        Index(
            "ix_tb_document_updated_at",
            "updated_at",
            postgresql_where=text("published_id is not null"),
        ),
        Index(
            "ix_tb_document_unstated",
            "document_id",
            postgresql_where=text(
                "state = 'PUBLISHED' and stated_id is distinct from published_id"
            ),
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
    stated_id: Mapped[int | None]
    """The published version whose rules and facts were read."""
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


class PassageUse(Base):
    """How often a passage was used. A trigger adds what changes to the totals of its document."""

    __tablename__ = "tb_passage_use"
    __table_args__ = (Index("ix_tb_passage_use_document_id", "document_id"),)

    passage_id: Mapped[int] = mapped_column(
        ForeignKey(_PASSAGE_ID, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    document_id: Mapped[int] = mapped_column(ForeignKey(_DOCUMENT_ID))
    found: Mapped[int] = mapped_column(default=0, server_default=_ZERO)
    """In how many answers it was."""
    opened: Mapped[int] = mapped_column(default=0, server_default=_ZERO)
    cited: Mapped[int] = mapped_column(default=0, server_default=_ZERO)
    """By how many issues."""
    helped: Mapped[int] = mapped_column(default=0, server_default=_ZERO)
    """Issues that cite it and were solved, and people who say so."""
    unhelped: Mapped[int] = mapped_column(default=0, server_default=_ZERO)
    """Issues that cite it and failed, and people who say that it is wrong."""


class DocumentUse(Base):
    """How often a document was used, in all of its versions; kept by a trigger."""

    __tablename__ = "tb_document_use"

    document_id: Mapped[int] = mapped_column(
        ForeignKey(_DOCUMENT_ID), primary_key=True, autoincrement=False
    )
    found: Mapped[int] = mapped_column(default=0, server_default=_ZERO)
    opened: Mapped[int] = mapped_column(default=0, server_default=_ZERO)
    cited: Mapped[int] = mapped_column(default=0, server_default=_ZERO)
    helped: Mapped[int] = mapped_column(default=0, server_default=_ZERO)
    unhelped: Mapped[int] = mapped_column(default=0, server_default=_ZERO)
    last_used_at: Mapped[datetime | None]


class IssueCitation(Base):
    """A passage that was cited for an issue, and whether the issue was solved."""

    __tablename__ = "tb_issue_citation"
    __table_args__ = (
        CheckConstraint("outcome in ('helped', 'unhelped', 'unused')", name="outcome"),
        Index("ix_tb_issue_citation_passage_id", "passage_id"),
        Index("ix_tb_issue_citation_open", "sr_id", postgresql_where=text("outcome is null")),
    )

    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID, ondelete="CASCADE"), primary_key=True)
    passage_id: Mapped[int] = mapped_column(
        ForeignKey(_PASSAGE_ID, ondelete="CASCADE"), primary_key=True
    )
    cited_at: Mapped[datetime]
    outcome: Mapped[str | None]
    """`None` while the issue is open; `unused`: it ended without a result."""


class PassageRating(Base):
    """What a person says of a passage."""

    __tablename__ = "tb_passage_rating"
    __table_args__ = (
        CheckConstraint("verdict in ('helped', 'wrong')", name="verdict"),
        Index("ix_tb_passage_rating_person_id", "person_id"),
    )

    passage_id: Mapped[int] = mapped_column(
        ForeignKey(_PASSAGE_ID, ondelete="CASCADE"), primary_key=True
    )
    person_id: Mapped[str] = mapped_column(ForeignKey(Person.person_id), primary_key=True)
    verdict: Mapped[str]
    reason: Mapped[str] = mapped_column(default="", server_default="")
    rated_at: Mapped[datetime]


class DocumentFinding(Base):
    """Why a published version needs an update. A later version begins without findings."""

    __tablename__ = "tb_document_finding"
    __table_args__ = (
        CheckConstraint(
            "reason in ('verification', 'found_nothing', 'wrong', 'server_version')", name="reason"
        ),
        UniqueConstraint("version_id", "key"),
        Index("ix_tb_document_finding_document_id", "document_id", "finding_id"),
    )

    finding_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey(_DOCUMENT_ID))
    version_id: Mapped[int] = mapped_column(ForeignKey("tb_document_version.version_id"))
    reason: Mapped[str]
    key: Mapped[str]
    """What it is about: the same is found once for each version."""
    detail: Mapped[str] = mapped_column(default="", server_default="")
    sr_id: Mapped[int | None]
    found_at: Mapped[datetime]


class DocumentChange(Base):
    """An ended issue that cites a document and may lead to a change of it."""

    __tablename__ = "tb_document_change"
    __table_args__ = (
        CheckConstraint("reason in ('otherwise', 'verification')", name="reason"),
        Index("ix_tb_document_change_sr_id", "sr_id"),
        Index(
            "ix_tb_document_change_open",
            "document_id",
            "sr_id",
            postgresql_where=text("settled_at is null"),
        ),
        Index(
            "ix_tb_document_change_version_id",
            "version_id",
            postgresql_where=text("version_id is not null"),
        ),
    )

    document_id: Mapped[int] = mapped_column(
        ForeignKey(_DOCUMENT_ID), primary_key=True, autoincrement=False
    )
    sr_id: Mapped[int] = mapped_column(
        ForeignKey(ISSUE_ID, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    reason: Mapped[str] = mapped_column(primary_key=True)
    """`otherwise`: people solved it in another way; `verification`: its runbook failed."""
    noted_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    """When it was decided whether it leads to a version."""
    version_id: Mapped[int | None] = mapped_column(ForeignKey("tb_document_version.version_id"))
    """The version that was proposed from it."""


class StatedRow(Base):
    """A rule or a fact that a published document states, and what people made of it."""

    __tablename__ = "tb_stated_sentence"
    __table_args__ = (
        CheckConstraint("kind in ('never', 'freeze', 'fact')", name="kind"),
        CheckConstraint("state in ('PROPOSED', 'ACCEPTED', 'REFUSED')", name="state"),
        UniqueConstraint("document_id", "digest"),
        Index("ix_tb_stated_sentence_digest", "digest"),
        Index("ix_tb_stated_sentence_state", "state", "sentence_id"),
    )

    sentence_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey(_DOCUMENT_ID))
    version_id: Mapped[int] = mapped_column(ForeignKey("tb_document_version.version_id"))
    ordinal: Mapped[int]
    """The passage with the sentence."""
    digest: Mapped[str]
    """Of kind, place and words: what was decided is never proposed again."""
    kind: Mapped[str]
    sentence: Mapped[str]
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    """What was read: fields of a rule, or the server, service and value of a fact."""
    state: Mapped[str] = mapped_column(default="PROPOSED", server_default="PROPOSED")
    result: Mapped[str] = mapped_column(default="", server_default="")
    """What it has become: `rule:NAME` or `server:ID`."""
    reason: Mapped[str] = mapped_column(default="", server_default="")
    found_at: Mapped[datetime]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]


class AnswerDay(Base):
    """How many searches of a day found something: questions of people, work of agents."""

    __tablename__ = "tb_answer_day"
    __table_args__ = (CheckConstraint("asker in ('person', 'agent')", name="asker"),)

    day: Mapped[date] = mapped_column(primary_key=True)
    asker: Mapped[str] = mapped_column(primary_key=True)
    answered: Mapped[int] = mapped_column(default=0, server_default=_ZERO)
    unanswered: Mapped[int] = mapped_column(default=0, server_default=_ZERO)


class DocumentGap(Base):
    """An issue for whose work an agent found no document."""

    __tablename__ = "tb_document_gap"
    __table_args__ = (
        Index("ix_tb_document_gap_searched_at", "searched_at"),
        Index(
            "ix_tb_document_gap_unproposed",
            "sr_id",
            postgresql_where=text("proposed_at is null"),
        ),
    )

    sr_id: Mapped[int] = mapped_column(
        ForeignKey(ISSUE_ID, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    searched_at: Mapped[datetime]
    proposed_at: Mapped[datetime | None]
    """When a document was proposed from it."""
