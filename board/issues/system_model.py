"""Table of the servers for which issues were opened."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import ISSUE_ID
from guardia.db.base import Base


class IssueSystem(Base):
    """The server for which an issue was opened, before triage has found those of its tasks."""

    __tablename__ = "tb_issue_system"
    __table_args__ = (Index("ix_tb_issue_system_server_id", "server_id", "sr_id"),)

    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID), primary_key=True, autoincrement=False)
    server_id: Mapped[str]
