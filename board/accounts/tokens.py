"""Access tokens for people's own programs; creation and revocation are in the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset, Slice, read_slice
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, Missing, NotFound
from guardia.i18n import t
from guardia.org import tokens
from guardia.org.access import PERMISSIONS, is_allowed, require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import AccessToken, Person
from guardia.org.tokens import TokenInfo
from guardia.text import trim

_MAX_NAME = 80
_MAX_DAYS = 366


@repeat_on_conflict
def create_token(
    board: BoardContext, person: PersonInfo, name: str, rights: Sequence[str], days: int
) -> str:
    """Create a token; returns its secret, which cannot be read again.

    Raises `Invalid` for a permission that the person lacks or that no token may carry, or if
    `days` of validity exceed a year.
    """
    require_permission(person, "token.own")
    name = trim(name, _MAX_NAME)
    _check(person, name, rights, days)
    now = board.clock()
    with board.database.transaction() as session:
        number, secret = tokens.create_token(
            session, person.id, name, rights, now, now + timedelta(days=days)
        )
        log.append(
            session,
            EntryKind.TOKEN_ISSUED,
            actor=str(Actor.of(person)),
            now=now,
            detail={"token": number, "name": name, "rights": sorted(rights), "days": days},
            name=name,
            rights=", ".join(sorted(rights)),
        )
        return secret


def _check(person: PersonInfo, name: str, rights: Sequence[str], days: int) -> None:
    if not name:
        raise Missing(what=t("board.token.name"))
    if not 1 <= days <= _MAX_DAYS:
        raise Invalid(what=str(days), why=t("board.token.days", most=_MAX_DAYS))
    for right in rights:
        if right not in PERMISSIONS or not is_allowed(person, right):
            raise Invalid(what=right, why=t("board.token.not_yours"))
        if right in tokens.SESSION_ONLY_ACTIONS:
            raise Invalid(what=right, why=t("board.token.personal"))


def list_tokens(board: BoardContext, person: PersonInfo) -> list[TokenInfo]:
    """Return the person's own tokens, newest first."""
    require_permission(person, "token.own")
    with board.database.reading() as session:
        return tokens.list_tokens(session, person.id)


@repeat_on_conflict
def revoke_token(board: BoardContext, person: PersonInfo, token_id: int) -> None:
    """Revoke one of the person's own tokens at once."""
    require_permission(person, "token.own")
    now = board.clock()
    with board.database.transaction() as session:
        name = tokens.revoke_token(session, person.id, token_id, now)
        log.append(
            session,
            EntryKind.TOKEN_REVOKED,
            actor=str(Actor.of(person)),
            now=now,
            detail={"token": token_id, "name": name},
            name=name,
        )


@dataclass(frozen=True, slots=True)
class OwnedToken:
    """A token of anyone, with its owner; the secret is never shown again."""

    token: TokenInfo
    person: PersonInfo
    created_at: datetime


def all_tokens(
    board: BoardContext, viewer: PersonInfo, page: Keyset, person: str = ""
) -> Slice[OwnedToken]:
    """Return a page of everyone's tokens, newest first."""
    require_permission(viewer, "token.manage")
    query = select(AccessToken, Person).join(Person, Person.person_id == AccessToken.person_id)
    if person:
        query = query.where(AccessToken.person_id == person)
    with board.database.reading() as session:
        found = read_slice(session, query, AccessToken.token_id, page, lambda r: r[0].token_id)
        return Slice(
            tuple(_owned(token, owner) for token, owner in found.rows), found.newer, found.older
        )


def _owned(row: AccessToken, owner: Person) -> OwnedToken:
    revoked = row.revoked_at is not None
    info = TokenInfo(row.token_id, row.name, tuple(row.rights), row.expires_at, revoked)
    return OwnedToken(info, owner.as_info(), row.created_at)


@repeat_on_conflict
def revoke_any(board: BoardContext, by: PersonInfo, token_id: int) -> None:
    """Revoke a token at once: one's own, or with the permission anyone's."""
    with board.database.transaction() as session:
        row = session.get(AccessToken, token_id)
        if row is None or (row.person_id != by.id and not is_allowed(by, "token.manage")):
            raise NotFound(what=f"token {token_id}")
        require_permission(by, "token.own" if row.person_id == by.id else "token.manage")
        now = board.clock()
        name = tokens.revoke_token(session, row.person_id, token_id, now)
        log.append(
            session,
            EntryKind.TOKEN_REVOKED,
            actor=str(Actor.of(by)),
            now=now,
            detail={"token": token_id, "name": name, "person": row.person_id},
            name=name,
        )
