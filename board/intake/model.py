"""Tables of messenger lines, answered events and rates."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Identity, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base


class ChatMessage(Base):
    """A line seen in a messenger room."""

    __tablename__ = "tb_msg_chat_log"
    __table_args__ = (
        UniqueConstraint("channel", "external_id"),
        Index("ix_tb_msg_chat_log_room", "room", "created_at"),
        Index(
            "ix_tb_msg_chat_log_cause", "cause", "created_at", postgresql_where=sql("cause <> ''")
        ),
        Index("ix_tb_msg_chat_log_talk", "created_at", postgresql_where=sql("sr_id is null")),
    )

    message_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    channel: Mapped[str]
    external_id: Mapped[str]
    room: Mapped[str]
    sender: Mapped[str]
    account: Mapped[str] = mapped_column(default="", server_default="")
    """The messenger's own id of the sender; display names are not unique."""
    text: Mapped[str]
    rule: Mapped[str | None]
    sr_id: Mapped[int | None]
    created_at: Mapped[datetime]
    cause: Mapped[str] = mapped_column(default="", server_default="")
    """Cause of the offer that was made for it, and the server that it names."""
    server_id: Mapped[str] = mapped_column(default="", server_default="")


class IntakeRate(Base):
    """A token bucket of a sender or a room."""

    __tablename__ = "tb_intake_rate"
    __table_args__ = (
        Index("ix_tb_intake_rate_counted_at", "counted_at", postgresql_where=sql("refused = 0")),
    )

    key: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[float]
    """Requests that are accepted at once."""
    counted_at: Mapped[datetime]
    refused: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    """Requests refused since the last one that was accepted normally."""


class IntakeEvent(Base):
    """An event of a channel that was answered, so that a repeated one is not answered again."""

    __tablename__ = "tb_intake_event"
    __table_args__ = (Index("ix_tb_intake_event_received_at", "received_at"),)

    channel: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True)
    received_at: Mapped[datetime]


class RoomChoices(Base):
    """The choices in the last immediate answer to a room without buttons."""

    __tablename__ = "tb_room_choices"

    channel: Mapped[str] = mapped_column(primary_key=True)
    room: Mapped[str] = mapped_column(primary_key=True)
    choices: Mapped[list[dict[str, Any]]]
    offered_at: Mapped[datetime]
