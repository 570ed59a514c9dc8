"""Access tokens for people's own programs: given, listed and ended on the record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from guardia.board.audit import log
from guardia.board.audit.chain import clean
from guardia.board.core.context import Desk
from guardia.errors import Invalid, Missing
from guardia.i18n import t
from guardia.org import tokens
from guardia.org.access import PERMISSIONS, allowed, require
from guardia.org.directory import PersonName
from guardia.org.tokens import TokenCard

_NAME = 80
_DAYS = 366


def issue(desk: Desk, person: PersonName, name: str, rights: Sequence[str], days: int) -> str:
    """A new token's secret, told this once. ``Invalid`` for a right that the person has not got,
    or that no token may carry; ``days`` of validity, at most a year."""
    require(person, "token.own")
    name = clean(name).strip()[:_NAME]
    _check(person, name, rights, days)
    now = desk.clock()
    with desk.database.transaction() as session:
        number, secret = tokens.issue(
            session, person.id, name, rights, now, now + timedelta(days=days)
        )
        log.append(
            session,
            "token_issued",
            actor=f"person:{person.id}",
            now=now,
            detail={"token": number, "name": name, "rights": sorted(rights), "days": days},
            name=name,
            rights=", ".join(sorted(rights)),
        )
        return secret


def _check(person: PersonName, name: str, rights: Sequence[str], days: int) -> None:
    if not name:
        raise Missing(what=t("desk.token.name"))
    if not 1 <= days <= _DAYS:
        raise Invalid(what=str(days), why=t("desk.token.days", most=_DAYS))
    for right in rights:
        if right not in PERMISSIONS or not allowed(person, right):
            raise Invalid(what=right, why=t("desk.token.not_yours"))
        if right in tokens.PERSONAL:
            raise Invalid(what=right, why=t("desk.token.personal"))


def listed(desk: Desk, person: PersonName) -> list[TokenCard]:
    """The person's own tokens, the newest first."""
    require(person, "token.own")
    with desk.database.reading() as session:
        return tokens.listed(session, person.id)


def revoke(desk: Desk, person: PersonName, token_id: int) -> None:
    """End one of the person's own tokens at once."""
    require(person, "token.own")
    now = desk.clock()
    with desk.database.transaction() as session:
        name = tokens.revoke(session, person.id, token_id, now)
        log.append(
            session,
            "token_revoked",
            actor=f"person:{person.id}",
            now=now,
            detail={"token": token_id, "name": name},
            name=name,
        )
