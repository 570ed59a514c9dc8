"""Table of the templates of papers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base


class PaperTemplateRow(Base):
    """One version of a template; the newest of an institution and a kind is in force."""

    __tablename__ = "tb_paper_template"
    __table_args__ = (
        CheckConstraint(
            "kind in ('work_plan', 'work_result', 'incident', 'inspection', 'month')", name="kind"
        ),
        Index("ix_tb_paper_template_place", "inst_id", "kind", sql("number desc")),
    )

    number: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    inst_id: Mapped[str]
    """Empty: for all institutions without a template of their own."""
    kind: Mapped[str]
    text: Mapped[str]
    """Empty: from here on without a template of its own."""
    sha256: Mapped[str]
    author: Mapped[str]
    reason: Mapped[str]
    applied_at: Mapped[datetime]
