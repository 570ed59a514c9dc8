"""Read what decides who is responsible for a server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ARRAY, Text, any_, bindparam, func, literal, select
from sqlalchemy.orm import Session

from guardia.board.cmdb import record_store
from guardia.board.cmdb.duty_calendar import DutyShift, shifts_at
from guardia.board.cmdb.records import DutyExceptionRecord, DutyRecord
from guardia.board.cmdb.responsibility import (
    Candidate,
    Ownership,
    ResponsibilityFacts,
    Responsible,
    candidates_of,
    who_is_responsible,
)
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES
from guardia.board.core.model import Task
from guardia.db.statement import Statement
from guardia.org import registry, revisions
from guardia.org.assignment import FitWeights
from guardia.org.model import INFO_COLUMNS, Delegation, Person, Server, person_info
from guardia.org.ownership import owned_servers

_ENGINEER = "engineer"


@dataclass(frozen=True, slots=True)
class AbsenceView:
    """A present or future absence."""

    number: int
    person: str
    name: str
    begins: datetime
    ends: datetime
    substitute: str
    reason: str


def engineers(
    board: BoardContext, server: str | None, skill: str, at: datetime | None = None
) -> list[Candidate]:
    """Return the engineers who are there, with what speaks for them in a field on a server."""
    moment = at or board.current_time()
    with board.database.reading() as session:
        facts = [f for f in _facts(session, server, moment) if f.person.role == _ENGINEER]
    return candidates_of(facts, skill)


def weights(board: BoardContext) -> FitWeights:
    """Return how much each ground counts, as the applied chart says."""
    with board.database.reading() as session:
        return revisions.assignment_rules(session).weights


def responsible(
    board: BoardContext, server: str, skill: str, at: datetime | None = None
) -> list[Responsible]:
    """Return who is responsible for a server in a field at a moment, in order, with reasons.

    Raises `NotFound` if the CMDB has no such server.
    """
    moment = at or board.current_time()
    with board.database.reading() as session:
        registry.host(session, server)
        rules = revisions.assignment_rules(session)
        return who_is_responsible(_facts(session, server, moment), skill, rules.weights)


def ranked_engineers(
    session: Session, server: str | None, institution: str | None, skill: str, at: datetime
) -> list[Responsible]:
    """Return the engineers for a request in a field who are there, the best first.

    Without a server, owners of the institution's servers count as its owners. Load and absence are
    those of this moment.
    """
    facts = _facts(session, server, at, institution)
    engineers = [f for f in facts if f.person.role == _ENGINEER]
    return who_is_responsible(engineers, skill, revisions.assignment_rules(session).weights)


def on_duty_for(
    session: Session, skill: str, institution: str | None, at: datetime
) -> list[DutyShift]:
    """Return the turns of duty for a field at an institution, without those of absent people."""
    absent = absent_people(session, at)
    covering = [s for s in shifts_in(session, at) if s.covers(skill, institution or "")]
    return [
        replace(shift, person=absent.get(shift.person) or "") if shift.person in absent else shift
        for shift in covering
        if shift.person not in absent or absent[shift.person]
    ]


def on_duty(board: BoardContext, at: datetime | None = None) -> list[DutyShift]:
    """Return everyone who is on duty at a moment."""
    with board.database.reading() as session:
        return shifts_in(session, at or board.current_time())


def absences(board: BoardContext) -> list[AbsenceView]:
    """Return present and future absences in the order of their beginnings."""
    d = Delegation
    with board.database.reading() as session:
        rows = session.execute(
            select(d, Person)
            .join(Person, Person.person_id == d.principal_id)
            .where(d.absent, d.revoked_at.is_(None), d.ends_at > board.current_time())
            .order_by(d.begins_at, d.delegation_id)
        )
        return [
            AbsenceView(
                one.delegation_id,
                one.principal_id,
                f"{person.name} {person.title}".strip(),
                one.begins_at,
                one.ends_at,
                one.delegate_id or "",
                one.reason,
            )
            for one, person in rows
        ]


def names(board: BoardContext) -> dict[str, str]:
    """Return name and title of everyone by account."""
    with board.database.reading() as session:
        rows = session.execute(select(Person.person_id, Person.name, Person.title))
        return {account: f"{name} {title}".strip() for account, name, title in rows}


def shifts_in(session: Session, at: datetime) -> list[DutyShift]:
    """Return everyone who is on duty at a moment."""
    duties = record_store.load(session, "duty").values()
    if not duties:
        return []
    exceptions = record_store.load(session, "duty_exception").values()
    teams = record_store.load(session, "team")
    return shifts_at(
        [DutyRecord.model_validate(d) for d in duties],
        [DutyExceptionRecord.model_validate(e) for e in exceptions],
        {name: team.get("members", []) for name, team in teams.items()},
        at,
    )


def _facts(
    session: Session, server: str | None, at: datetime, institution: str | None = None
) -> list[ResponsibilityFacts]:
    home = registry.institution_of(session, server) or institution or ""
    owned = _owned(session, server) if server or not home else _owned_at(session, home)
    shifts = [s for s in shifts_in(session, at) if s.institution in ("", home)]
    absent = absent_people(session, at)
    people = ((person_info(*info), levels, load) for *info, levels, load in _STAFF.run(session))
    return [
        ResponsibilityFacts(
            person,
            owns=tuple(owned.get(person.id, ())),
            shifts=tuple(_of(shifts, person.id)),
            levels={s: levels[s] for s in person.skills if s in levels},
            load=load,
            absent=person.id in absent,
            substitute=absent.get(person.id) or "",
        )
        for person, levels, load in people
    ]


# Built once: composing them takes longer than running them.
_OPEN = literal([s.value for s in OPEN_STATES], ARRAY(Text()))
_LOAD = (
    select(Task.owner_id, func.count().label("tasks"))
    .where(Task.status == any_(_OPEN))
    .group_by(Task.owner_id)
    .subquery()
)
_STAFF = Statement(
    select(*INFO_COLUMNS, Person.skill_levels, func.coalesce(_LOAD.c.tasks, 0))
    .outerjoin(_LOAD, _LOAD.c.owner_id == Person.person_id)
    .where(Person.active, Person.role != "customer")
    .order_by(Person.person_id)
)
_SERVERS = owned_servers().c
_OWNED = Statement(
    select(
        _SERVERS.owner_id,
        _SERVERS.skill,
        _SERVERS.proficiency,
        _SERVERS.duty,
        _SERVERS.scope,
        _SERVERS.target,
        _SERVERS.team_id,
    ).where(_SERVERS.server_id == bindparam("server"))
)
_ABSENT = Statement(
    select(Delegation.principal_id, Delegation.delegate_id)
    .where(
        Delegation.absent,
        Delegation.revoked_at.is_(None),
        Delegation.begins_at <= bindparam("at"),
        Delegation.ends_at > bindparam("at"),
    )
    .order_by(Delegation.delegation_id)
)


def _of(shifts: Iterable[DutyShift], person: str) -> list[DutyShift]:
    return [shift for shift in shifts if shift.person == person]


def _owned(session: Session, server: str | None) -> dict[str, list[Ownership]]:
    found: dict[str, list[Ownership]] = {}
    for owner, *values in _OWNED.run(session, {"server": server}):
        found.setdefault(owner, []).append(Ownership(*values))
    return found


def _owned_at(session: Session, institution: str) -> dict[str, list[Ownership]]:
    """Return what people own at an institution: per field, the best of their servers there."""
    o = owned_servers().c
    best, first = func.max(o.proficiency), func.max(o.duty)  # "primary" sorts after "deputy"
    query = (
        select(o.owner_id, o.skill, best, first)
        .join(Server, Server.server_id == o.server_id)
        .where(Server.inst_id == institution)
        .group_by(o.owner_id, o.skill)
        .order_by(o.owner_id, o.skill)
    )
    found: dict[str, list[Ownership]] = {}
    for owner, skill, proficiency, duty in session.execute(query):
        one = Ownership(skill, proficiency, duty, "institution", institution)
        found.setdefault(owner, []).append(one)
    return found


def absent_people(session: Session, at: datetime) -> dict[str, str | None]:
    """Return who is absent at a moment, with their substitute."""
    return dict(_ABSENT.run(session, {"at": at}).fetchall())
