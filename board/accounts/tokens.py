"""Access tokens for people's own programs; creation and revocation are in the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, Missing
from guardia.i18n import t
from guardia.org import tokens
from guardia.org.access import PERMISSIONS, is_allowed, require_permission
from guardia.org.directory import PersonInfo
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
