"""Tables of passkeys: registered public keys, and challenges that wait for a signature."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base
from guardia.org.model import Person


class Passkey(Base):
    """A public key of a person's device; a removed one stays, so that its id cannot return."""

    __tablename__ = "tb_passkey"
    __table_args__ = (
        CheckConstraint("sign_count >= 0", name="sign_count"),
        Index("ix_tb_passkey_person_id", "person_id"),
    )

    passkey_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey(Person.person_id))
    credential: Mapped[str] = mapped_column(unique=True)
    """Credential id (base64url)."""
    public_key: Mapped[str]
    """The key as the device wrote it (COSE, base64url); the audit log holds it as well."""
    rp_id: Mapped[str]
    """Host name of the board at registration; the device signs for no other."""
    sign_count: Mapped[int]
    """Last counter of the device; some devices always send 0."""
    name: Mapped[str]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
    removed_by: Mapped[str | None]


class PasskeyChallenge(Base):
    """A challenge for one person and one purpose, answered once."""

    __tablename__ = "tb_passkey_challenge"
    __table_args__ = (
        CheckConstraint("purpose in ('register', 'decide')", name="purpose"),
        Index("ix_tb_passkey_challenge_expires_at", "expires_at"),
    )

    challenge: Mapped[str] = mapped_column(primary_key=True)
    """The bytes that the device signs (base64url)."""
    person_id: Mapped[str] = mapped_column(ForeignKey(Person.person_id))
    purpose: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'"))
    """The values whose canonical form has this SHA-256; empty for a registration."""
    expires_at: Mapped[datetime]
    """By the clock of the database."""
    used_at: Mapped[datetime | None]
