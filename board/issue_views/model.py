"""Tables of the saved views of the issue list."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base
from guardia.org.model import Person

VIEW_ID = "tb_issue_view.view_id"


class ListView(Base):
    """A named filter of the issue list, of one person or one team."""

    __tablename__ = "tb_issue_view"
    __table_args__ = (
        CheckConstraint("owner ~ '^(person|team):.'", name="owner"),
        CheckConstraint("name <> ''", name="name"),
        Index("uq_tb_issue_view_name", "owner", "name", unique=True),
        Index("ix_tb_issue_view_place", "owner", "place", "view_id"),
    )

    view_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    owner: Mapped[str]
    """`person:<id>` or `team:<id>`."""
    name: Mapped[str]
    words: Mapped[str]
    columns: Mapped[list[str]]
    place: Mapped[int]
    """Its place among the views of its owner."""
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]


class DefaultView(Base):
    """The view with which a person's issue list opens."""

    __tablename__ = "tb_issue_view_default"

    person_id: Mapped[str] = mapped_column(ForeignKey(Person.person_id), primary_key=True)
    view_id: Mapped[int] = mapped_column(ForeignKey(VIEW_ID, ondelete="CASCADE"), index=True)
