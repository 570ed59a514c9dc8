"""Tables of stored contents, of the artefacts that name them, and of what still needs one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import ISSUE_ID
from guardia.db.base import Base


class Blob(Base):
    """A content in the store, named by its SHA-256."""

    __tablename__ = "tb_blob"
    __table_args__ = (
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        CheckConstraint("size >= 0", name="size"),
    )

    sha256: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int]
    created_at: Mapped[datetime]


class Artifact(Base):
    """A version of something that can be deployed; its content is a blob."""

    __tablename__ = "tb_artifact"
    __table_args__ = (
        UniqueConstraint("name", "version"),
        Index("ix_tb_artifact_sha256", "sha256"),
    )

    artifact_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str]
    version: Mapped[str]
    file_name: Mapped[str]
    sha256: Mapped[str] = mapped_column(ForeignKey("tb_blob.sha256"))
    size: Mapped[int]
    signature: Mapped[str]
    """The detached signature as base64; empty: none was given."""
    signed_by: Mapped[str]
    """Name of the configured key that verified the signature; empty without a signature."""
    created_by: Mapped[str]
    created_at: Mapped[datetime]


class ArtifactHold(Base):
    """Something that still needs an artefact, which therefore cannot be removed."""

    __tablename__ = "tb_artifact_hold"

    artifact_id: Mapped[int] = mapped_column(
        ForeignKey("tb_artifact.artifact_id"), primary_key=True
    )
    holder: Mapped[str] = mapped_column(primary_key=True)
    """What needs it, such as `rollout:12`."""


class Attachment(Base):
    """A file that a message of an issue brought."""

    __tablename__ = "tb_attachment"
    __table_args__ = (
        UniqueConstraint("source", "ordinal"),
        CheckConstraint("size >= 0", name="size"),
        Index("ix_tb_attachment_sr_id", "sr_id", "attachment_id"),
        Index("ix_tb_attachment_kept", "kept"),
    )

    attachment_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID))
    source: Mapped[str]
    """The message that brought it, so that a repeated delivery adds nothing."""
    ordinal: Mapped[int]
    file_name: Mapped[str]
    media_type: Mapped[str]
    """As its sender says."""
    size: Mapped[int]
    sha256: Mapped[str]
    """Digest of what was sent."""
    kept: Mapped[str | None] = mapped_column(ForeignKey("tb_blob.sha256"))
    """Digest of what is stored, in which resident numbers are masked; `None`: it is not stored."""
    reason: Mapped[str] = mapped_column(default="", server_default="")
    """Why it is not stored: a name of `artifacts.not_kept`."""
    created_at: Mapped[datetime]
