"""Tables of accounts beside the person: sign-in state, earlier passwords, sign-ins."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base
from guardia.org.model import Person

_FALSE, _ZERO, _EMPTY = text("false"), text("0"), ""


class AccountState(Base):
    """What decides whether an account may sign in, beside `Person.active` and the password."""

    __tablename__ = "tb_account"
    __table_args__ = (
        Index(
            "ix_tb_account_expires_at",
            "expires_at",
            postgresql_where=text("expires_at is not null"),
        ),
    )

    person_id: Mapped[str] = mapped_column(ForeignKey(Person.person_id), primary_key=True)
    must_change: Mapped[bool] = mapped_column(default=False, server_default=_FALSE)
    """Whether the password is a one-time password."""
    password_changed_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    vendor: Mapped[bool] = mapped_column(default=False, server_default=_FALSE)
    """Whether the person works for a vendor."""
    failures: Mapped[int] = mapped_column(default=0, server_default=_ZERO)
    """Failed attempts since the last sign-in."""
    locked_until: Mapped[datetime | None]
    lock_reason: Mapped[str] = mapped_column(default=_EMPTY, server_default=_EMPTY)
    """`failures`, or why a person has locked the account; then only a person unlocks it."""
    signed_in_at: Mapped[datetime | None]
    signed_in_from: Mapped[str] = mapped_column(default=_EMPTY, server_default=_EMPTY)


class PasswordRecord(Base):
    """The hash of an earlier password, so that it is not used again."""

    __tablename__ = "tb_password_history"
    __table_args__ = (
        Index("ix_tb_password_history_person_id", "person_id", text("record_id desc")),
    )

    record_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey(Person.person_id))
    password_hash: Mapped[str]
    changed_at: Mapped[datetime]


class SignInRecord(Base):
    """One sign-in, refused or not; append-only."""

    __tablename__ = "tb_sign_in"
    __table_args__ = (Index("ix_tb_sign_in_person_id", "person_id", text("sign_in_id desc")),)

    sign_in_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    person_id: Mapped[str]
    at: Mapped[datetime]
    source: Mapped[str]
    way: Mapped[str]
    """`password`, `ldap`, `oidc`."""
    outcome: Mapped[str]
    """`in`, `out`, `wrong`, `locked`, `closed`."""
