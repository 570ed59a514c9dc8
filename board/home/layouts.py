"""Which cards a start page has: the person's own choice, that of the role, or the shipped one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.dashboard.registry import CARDS, allowed_cards
from guardia.board.home.model import HomeLayout
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid
from guardia.i18n import t, t_default
from guardia.org.access import ROLES, require_permission
from guardia.org.directory import PersonInfo

SHIPPED: dict[str, tuple[str, ...]] = {
    "customer": ("requests",),
    "engineer": ("requests", "servers", "failures", "agents_work", "hours"),
    "team_lead": ("requests", "engineers", "agents_work", "failures", "servers", "heartbeats"),
    "pm": ("requests", "institutions", "agents_work", "engineers", "spending", "hours"),
    "security_officer": ("requests", "integrity", "servers", "failures", "agents_work"),
    "admin": ("requests", "heartbeats", "integrity", "institutions", "spending", "engineers"),
    "auditor": ("integrity", "servers", "failures", "requests", "agents_work"),
}
"""Cards of each role, until others are chosen."""


def cards_of(board: BoardContext, person: PersonInfo) -> tuple[str, ...]:
    """Return the names of a person's cards, in order."""
    owners = [str(Actor.of(person)), f"role:{person.role}"]
    query = select(HomeLayout.owner, HomeLayout.cards).where(HomeLayout.owner.in_(owners))
    with board.database.reading() as session:
        found = {row.owner: row.cards for row in session.execute(query)}
    chosen = next((found[owner] for owner in owners if owner in found), SHIPPED[person.role])
    allowed = {card.name for card in allowed_cards(person)}
    return tuple(name for name in chosen if name in allowed)


def cards_of_role(board: BoardContext, role: str) -> tuple[str, ...]:
    """Return the default cards of a role. Raises `Invalid` for an unknown one."""
    _require_role(role)
    with board.database.reading() as session:
        row = session.get(HomeLayout, f"role:{role}")
        return tuple(row.cards) if row else SHIPPED[role]


def choose_own(board: BoardContext, person: PersonInfo, cards: Sequence[str] | None) -> None:
    """Store a person's cards, or return to those of the role. Raises `Invalid` for others."""
    allowed = {card.name for card in allowed_cards(person)}
    _store(board, str(Actor.of(person)), person, cards, allowed)


def choose_for_role(
    board: BoardContext, person: PersonInfo, role: str, cards: Sequence[str] | None
) -> None:
    """Store the default cards of a role, or return to the shipped ones; needs permission."""
    require_permission(person, "home.set_role")
    _require_role(role)
    _store(board, f"role:{role}", person, cards, {card.name for card in CARDS})


def _require_role(role: str) -> None:
    if role not in ROLES:
        raise Invalid(what=t("home.role"), why=role)


@repeat_on_conflict
def _store(
    board: BoardContext,
    owner: str,
    person: PersonInfo,
    cards: Sequence[str] | None,
    allowed: set[str],
) -> None:
    unknown = [name for name in cards or () if name not in allowed]
    if unknown:
        raise Invalid(what=t("home.cards"), why=", ".join(unknown))
    now, by = board.clock(), str(Actor.of(person))
    with board.database.transaction() as session:
        if cards is None:
            session.execute(delete(HomeLayout).where(HomeLayout.owner == owner))
        else:
            row: dict[str, Any] = {"owner": owner, "cards": list(dict.fromkeys(cards))}
            row |= {"changed_by": by, "changed_at": now}
            given = insert(HomeLayout).values(row)
            session.execute(given.on_conflict_do_update(index_elements=["owner"], set_=row))
        if owner.startswith("role:"):
            log.append(
                session,
                EntryKind.HOME_CHANGED,
                actor=by,
                now=now,
                detail={"owner": owner, "cards": list(cards) if cards is not None else None},
                role=t_default(f"org.role.{owner.partition(':')[2]}"),
            )
