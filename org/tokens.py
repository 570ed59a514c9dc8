"""Access tokens: credentials of a person's own programs, limited to chosen actions."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.errors import NotFound
from guardia.org.access import is_usable
from guardia.org.account_model import AccountState
from guardia.org.directory import PersonInfo
from guardia.org.model import AccessToken, Person

TOKEN_PREFIX = "guardia_pat_"
"""Beginning of every token, so that scanners find one that was left in a file."""
SESSION_ONLY_ACTIONS = frozenset(
    {
        "approval.decide",
        "approval.decide_own",
        "approval.answer",
        "issue.accept",
        "delegation.set",
        "delegation.set_others",
        "passkey.own",
        "passkey.remove",
        "password.own",
        "person.manage",
        "right.decide",
        "right.review",
        "session.own",
        "token.manage",
    }
)
"""Rights that no token carries: people make decisions themselves, in their own session."""


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token as its owner sees it; the secret is never shown again."""

    token_id: int
    name: str
    rights: tuple[str, ...]
    expires_at: datetime
    revoked: bool


def create_token(
    session: Session,
    person_id: str,
    name: str,
    rights: Sequence[str],
    now: datetime,
    ends: datetime,
) -> tuple[int, str]:
    """Create a token and return its number and secret; only the secret's hash is stored."""
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    row = AccessToken(
        person_id=person_id,
        name=name,
        rights=sorted(rights),
        token_hash=_digest(secret),
        created_at=now,
        expires_at=ends,
    )
    session.add(row)
    session.flush()
    return row.token_id, secret


def person_of_token(session: Session, secret: str, now: datetime) -> PersonInfo | None:
    """Return a token's owner, limited to its actions.

    `None` if the token is unknown, expired or revoked, or if the account is closed.
    """
    row = session.scalar(select(AccessToken).where(AccessToken.token_hash == _digest(secret)))
    if row is None or row.revoked_at is not None or row.expires_at <= now:
        return None
    person = session.get(Person, row.person_id)
    state = session.get(AccountState, row.person_id)
    if person is None or not is_usable(person, state, now):
        return None
    allowed = frozenset(row.rights) - SESSION_ONLY_ACTIONS
    return person.as_info().model_copy(update={"allowed_actions": allowed})


def list_tokens(session: Session, person_id: str) -> list[TokenInfo]:
    """Return a person's tokens, newest first."""
    query = select(AccessToken).where(AccessToken.person_id == person_id)
    return [
        TokenInfo(t.token_id, t.name, tuple(t.rights), t.expires_at, t.revoked_at is not None)
        for t in session.scalars(query.order_by(AccessToken.token_id.desc()))
    ]


def revoke_token(session: Session, person_id: str, token_id: int, now: datetime) -> str:
    """Revoke a person's own token and return its name. Raises `NotFound` if there is none."""
    row = session.get(AccessToken, token_id)
    if row is None or row.person_id != person_id or row.revoked_at is not None:
        raise NotFound(what=f"token {token_id}")
    row.revoked_at = now
    return row.name


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
