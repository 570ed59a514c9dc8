"""Read the duty roster for its pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, literal, or_, select, tuple_, union_all
from sqlalchemy.orm import Session

from guardia.board.cmdb import entries, record_store, revisions
from guardia.board.cmdb.records import KINDS, Record, record_key
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.roster.editing import KINDS_OF_ROSTER
from guardia.org.model import Institution, OwnerScope, Person, SystemOwner, Team

PAGE = 50
_UNDOABLE = 10
"""Changes that the page offers to undo."""


@dataclass(frozen=True, slots=True)
class RosterRow:
    """An entry with the key by which forms name it."""

    key: str
    record: Record


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """Who is responsible for what."""

    key: str
    owner: str
    """An account, or `team:` and a team."""
    scope: str
    target: str
    skill: str
    proficiency: int
    duty: str

    @property
    def cursor(self) -> str:
        """Its place in the list."""
        return "\x1f".join((self.target, self.skill, self.owner, self.scope))


@dataclass(frozen=True, slots=True)
class RosterChange:
    """One change of the roster."""

    number: int
    author: str
    at: datetime
    lines: tuple[str, ...]
    more: int
    """Changes that are not in `lines`."""


def records(board: BoardContext, kind: str) -> list[RosterRow]:
    """Return all entries of a kind with all their fields, in a fixed order."""
    found = [KINDS[kind].model_validate(one) for one in entries.entries(board, kind)]
    return [RosterRow(record_key(KINDS[kind].KEYS, _keys(one)), one) for one in found]


def _keys(record: Record) -> dict[str, Any]:
    return record.model_dump(include=set(record.KEYS))


def skills(
    board: BoardContext, *, text: str = "", after: str = ""
) -> tuple[list[RosterRow], str | None]:
    """Return one page of people's skills, and where the next one begins."""
    rows = [row for row in records(board, "skill") if row.key > after and _fits(row, text)]
    more = len(rows) > PAGE
    return rows[:PAGE], rows[PAGE - 1].key if more else None


def _fits(row: RosterRow, text: str) -> bool:
    return text.lower() in row.key.lower()


def owners(
    board: BoardContext, *, text: str = "", after: str = ""
) -> tuple[list[OwnerRow], str | None]:
    """Return one page of who is responsible for what, and where the next one begins."""
    every = union_all(_direct(), _wider()).subquery("owners")
    c = every.c
    query = select(c.owner, c.scope, c.target, c.skill, c.proficiency, c.duty)
    if text:
        query = query.where(or_(*(x.icontains(text, autoescape=True) for x in (c.owner, c.target))))
    place = tuple(after.split("\x1f"))
    if len(place) == 4:
        query = query.where(tuple_(c.target, c.skill, c.owner, c.scope) > place)
    query = query.order_by(c.target, c.skill, c.owner, c.scope).limit(PAGE + 1)
    with board.database.reading() as session:
        rows = [_owner(*row) for row in session.execute(query)]
    return rows[:PAGE], rows[PAGE - 1].cursor if len(rows) > PAGE else None


def _direct() -> Select[str, str, str, str, int, str]:
    o = SystemOwner
    scope = literal("server").label("scope")
    return select(
        o.owner_id.label("owner"),
        scope,
        o.server_id.label("target"),
        o.skill,
        o.proficiency,
        o.duty,
    )


def _wider() -> Select[str, str, str, str, int, str]:
    o = OwnerScope
    return select(o.owner, o.scope, o.target, o.skill, o.proficiency, o.duty)


def _owner(
    owner: str, scope: str, target: str, skill: str, proficiency: int, duty: str
) -> OwnerRow:
    who = {"team": owner.removeprefix("team:")} if owner.startswith("team:") else {"person": owner}
    key = record_key(KINDS["owner"].KEYS, {**who, scope: target, "skill": skill})
    return OwnerRow(key, owner, scope, target, skill, proficiency, duty)


def suggestions(board: BoardContext, kinds: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    """Return what may be entered into fields, each with its name."""
    with board.database.reading() as session:
        return {kind: _suggested(session, kind) for kind in sorted(set(kinds) - {""})}


_NAMES: dict[str, Select[str, str]] = {
    "person": select(Person.person_id, func.concat_ws(" ", Person.name, Person.title))
    .where(Person.active, Person.role != "customer")
    .order_by(Person.person_id),
    "team": select(Team.team_id, Team.name).order_by(Team.team_id),
    "institution": select(Institution.inst_id, Institution.inst_name).order_by(Institution.inst_id),
}
_MOST = 2000


def _suggested(session: Session, kind: str) -> list[tuple[str, str]]:
    if kind == "duty":
        return [(key, "") for key in sorted(record_store.load(session, "duty"))]
    if kind == "skill":
        used = select(func.jsonb_array_elements_text(Person.skills).label("skill")).distinct()
        return [("*", ""), *((name, "") for name in sorted(session.scalars(used)))]
    return [(str(key), str(name)) for key, name in session.execute(_NAMES[kind].limit(_MOST))]


def changes(board: BoardContext) -> list[RosterChange]:
    """Return the last changes of the roster, newest first."""
    with board.database.reading() as session:
        found = revisions.of_kinds(session, KINDS_OF_ROSTER, _UNDOABLE)
        names = display_names_of(session, [one.author for one in found])
        return [
            RosterChange(
                one.number,
                names.get(one.author, one.author),
                one.created_at,
                tuple(str(c) for c in revisions.changes_of(session, one.number)[:3]),
                max(one.changes - 3, 0),
            )
            for one in found
        ]
