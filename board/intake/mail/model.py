"""Tables of mails: what became of each, and how far each mailbox was read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import ISSUE_ID
from guardia.db.base import Base


class MailRecord(Base):
    """A mail that was received. Its text is that of its issue or comment, and kept nowhere else."""

    __tablename__ = "tb_mail"
    __table_args__ = (
        UniqueConstraint("external_id"),
        Index("ix_tb_mail_sr_id", "sr_id", "mail_id"),
    )

    mail_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    external_id: Mapped[str]
    """Its message id, or a digest."""
    sender: Mapped[str]
    verified: Mapped[bool]
    """Whether our own server has proved the domain of the sender."""
    subject: Mapped[str]
    outcome: Mapped[str]
    """One of `incoming.MailOutcome`."""
    sr_id: Mapped[int | None] = mapped_column(ForeignKey(ISSUE_ID))
    received_at: Mapped[datetime]


class MailboxPosition(Base):
    """How far a mailbox was read."""

    __tablename__ = "tb_mailbox"

    mailbox: Mapped[str] = mapped_column(primary_key=True)
    """Server, user and folder."""
    uid_validity: Mapped[int]
    """The server's number of the mailbox: another one makes all uids void."""
    last_uid: Mapped[int]
    read_at: Mapped[datetime]
