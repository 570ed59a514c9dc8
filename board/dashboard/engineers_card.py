"""Card of the engineers: their load, their fields, and their servers."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, func, select

from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import Issue, Task
from guardia.board.dashboard.cards import CardFilters
from guardia.org.directory import PersonInfo
from guardia.org.model import Person, SystemOwner

_MOST = 20
_OPEN = sorted(s.value for s in OPEN_STATES)


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


class EngineersCard:
    """Engineers with the most open tasks first."""

    name = "engineers"
    permission = "plan.read"
    template = "dashboard/engineers"

    def read(
        self, board: BoardContext, person: PersonInfo, filters: CardFilters
    ) -> tuple[EngineerLoad, ...]:
        """Count the open tasks of each engineer."""
        tasks = (
            select(
                Task.owner_id,
                func.count().label("open"),
                func.count().filter(Task.status == State.MANUAL.value).label("manual"),
            )
            .join(Issue, Issue.sr_id == Task.sr_id)
            .where(Task.status.in_(_OPEN), Task.owner_id.is_not(None), filters.issues(person))
            .group_by(Task.owner_id)
            .subquery()
        )
        owned = (
            select(func.count(SystemOwner.server_id.distinct()))
            .where(SystemOwner.owner_id == Person.person_id)
            .correlate(Person)
            .scalar_subquery()
        )
        query = (
            select(
                Person,
                owned,
                func.coalesce(tasks.c.open, 0),
                func.coalesce(tasks.c.manual, 0),
            )
            .outerjoin(tasks, tasks.c.owner_id == Person.person_id)
            .where(and_(Person.role == "engineer", Person.active))
            .order_by(func.coalesce(tasks.c.open, 0).desc(), Person.person_id)
            .limit(_MOST)
        )
        with board.database.reading() as session:
            return tuple(_load(*row) for row in session.execute(query).all())


def _load(person: Person, servers: int, opened: int, manual: int) -> EngineerLoad:
    skills = tuple((skill, person.skill_levels.get(skill)) for skill in person.skills)
    return EngineerLoad(
        person.person_id, person.name, person.title, skills, servers, opened, manual
    )
