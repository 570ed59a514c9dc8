"""Card of the engineers: their load, how well it fits their fields, and their servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import and_, case, func, select

from guardia.board.core.context import BoardContext
from guardia.board.core.labels import label
from guardia.board.dashboard import figures, links
from guardia.board.dashboard.cards import CardFilters, CardTable
from guardia.board.dashboard.figures import Figure
from guardia.i18n import t
from guardia.org.directory import PersonInfo
from guardia.org.model import Person, SystemOwner

_MOST = 20
_MEASURES = ("owner_open", "owner_manual", "assignee_field")


@dataclass(frozen=True, slots=True)
class EngineerLoad:
    """The load of one engineer."""

    person_id: str
    name: str
    title: str
    skills: tuple[tuple[str, int | None], ...]
    """Fields, with the proficiency (1 to 5) where one was entered."""
    servers: int
    open: int
    manual: int
    fit: int | None
    """Percentage of the open issues that are in the person's fields."""
    open_link: str
    manual_link: str


class EngineersCard:
    """Engineers with the most open tasks first."""

    name = "engineers"
    permission = "plan.read"
    template = "dashboard/engineers"
    filters = frozenset({"institution", "server"})

    def read(
        self, board: BoardContext, person: PersonInfo, filters: CardFilters
    ) -> tuple[EngineerLoad, ...]:
        """Read the sums, then the people with the most."""
        owned = (
            select(func.count(SystemOwner.server_id.distinct()))
            .where(SystemOwner.owner_id == Person.person_id)
            .correlate(Person)
            .scalar_subquery()
        )
        with board.database.reading() as session:
            found = figures.sums(session, person, filters, _MEASURES, by=["part"])
            load = {f.part: f.n for f in found if f.measure == "owner_open"}
            most = sorted(load, key=lambda one: (-load[one], one))[: 10 * _MOST]
            order = case({one: n for n, one in enumerate(most)}, value=Person.person_id)
            query = (
                select(Person, owned)
                .where(and_(Person.role == "engineer", Person.active))
                .order_by(*([order] if most else []), Person.person_id)
                .limit(_MOST)
            )
            rows = session.execute(query).all()
        return tuple(_load(row[0], row[1], found, filters) for row in rows)

    def table(self, data: tuple[EngineerLoad, ...], filters: CardFilters) -> CardTable:
        """Return an engineer a row."""
        names = ("name", "open", "manual", "fit", "servers", "skills")
        return CardTable(
            tuple(t(f"dashboard.engineers.{name}") for name in names),
            tuple(
                (
                    f"{one.name} {one.title}".strip(),
                    one.open,
                    one.manual,
                    one.fit,
                    one.servers,
                    ", ".join(_skill(*skill) for skill in one.skills),
                )
                for one in data
            ),
        )


def _skill(skill: str, level: int | None) -> str:
    return label("triage.category", skill) + (f"({level})" if level else "")


def _load(person: Person, servers: int, found: list[Figure], filters: CardFilters) -> EngineerLoad:
    own = {f.measure: f.n for f in found if f.part == person.person_id}
    fields = {
        field: f.n
        for f in found
        if f.measure == "assignee_field"
        for owner, _, field in [f.part.rpartition(" ")]
        if owner == person.person_id
    }
    owner = f"owner={person.person_id}"
    return EngineerLoad(
        person.person_id,
        person.name,
        person.title,
        tuple((skill, person.skill_levels.get(skill)) for skill in person.skills),
        servers,
        own.get("owner_open", 0),
        own.get("owner_manual", 0),
        _fit(fields, person.skills),
        links.with_task(filters, "open", owner),
        links.with_task(filters, "manual", owner),
    )


def _fit(fields: Mapping[str, int], skills: list[str]) -> int | None:
    total = sum(fields.values())
    return 100 * sum(fields.get(skill, 0) for skill in skills) // total if total else None
