"""Tables of labels, earlier texts, followers, references between issues, and their locks."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import ISSUE_ID
from guardia.db.base import Base
from guardia.org.model import Person

COMMENT_ID = "tb_comment.comment_id"


class Label(Base):
    """A label that issues can have."""

    __tablename__ = "tb_label"
    __table_args__ = (
        CheckConstraint("color ~ '^[0-9a-f]{6}$'", name="color"),
        CheckConstraint("name <> ''", name="name"),
    )

    label_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str]
    match_key: Mapped[str] = mapped_column(unique=True)
    """The name in the form in which names are compared: `matching_form` of `guardia.text`."""
    color: Mapped[str]
    """Six hexadecimal digits."""
    description: Mapped[str] = mapped_column(default="", server_default="")
    created_by: Mapped[str]
    created_at: Mapped[datetime]


class IssueLabel(Base):
    """A label of an issue."""

    __tablename__ = "tb_issue_label"
    __table_args__ = (Index("ix_tb_issue_label_label_id", "label_id", "sr_id"),)

    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID), primary_key=True)
    label_id: Mapped[int] = mapped_column(
        ForeignKey("tb_label.label_id", ondelete="CASCADE"), primary_key=True
    )
    added_by: Mapped[str]
    added_at: Mapped[datetime]


class EarlierText(Base):
    """What a title, a description or a comment said before an edit."""

    __tablename__ = "tb_earlier_text"
    __table_args__ = (
        CheckConstraint("field in ('title', 'body', 'comment')", name="field"),
        CheckConstraint("(field = 'comment') = (comment_id is not null)", name="comment"),
        Index("ix_tb_earlier_text_sr_id", "sr_id", "earlier_id"),
        Index("ix_tb_earlier_text_comment_id", "comment_id"),
    )

    earlier_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID))
    field: Mapped[str]
    comment_id: Mapped[int | None] = mapped_column(ForeignKey(COMMENT_ID))
    text: Mapped[str]
    edited_by: Mapped[str]
    """Who replaced it."""
    edited_at: Mapped[datetime]


class Follower(Base):
    """A person who follows an issue or has muted it."""

    __tablename__ = "tb_issue_follower"
    __table_args__ = (
        CheckConstraint("state in ('FOLLOWING', 'MUTED')", name="state"),
        Index("ix_tb_issue_follower_person_id", "person_id", "sr_id"),
    )

    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey(Person.person_id), primary_key=True)
    state: Mapped[str]
    since: Mapped[datetime]


class IssueReference(Base):
    """A text of one issue that names another one."""

    __tablename__ = "tb_issue_reference"
    __table_args__ = (
        CheckConstraint("from_id <> to_id", name="other"),
        Index("ix_tb_issue_reference_to_id", "to_id", "from_id"),
    )

    from_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID), primary_key=True)
    to_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID), primary_key=True)
    since: Mapped[datetime]


class IssueLock(Base):
    """A conversation that people have closed for further comments."""

    __tablename__ = "tb_issue_lock"

    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID), primary_key=True)
    reason: Mapped[str]
    locked_by: Mapped[str]
    locked_at: Mapped[datetime]
