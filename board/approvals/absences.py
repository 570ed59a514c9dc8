"""Absences, such as vacations: delegations that say that the principal is away.

With a substitute the delegation also hands over decisions; without one it only says who is away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from guardia.board.approvals.delegations import delegation_grant
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.rights import requests
from guardia.board.rights.policy import PRIVILEGED, Kind
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, NotFound
from guardia.i18n import t
from guardia.org import revisions
from guardia.org.access import is_allowed
from guardia.org.model import Delegation, Person

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class AbsenceRequest:
    """Whole days on which a person is away."""

    person: str
    first_day: date
    last_day: date
    substitute: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AbsenceProblem:
    """Why a request is not possible; `index` is its place in the list."""

    index: int
    key: str
    """A key of `imports.bad`."""
    value: str


def find_problems(board: BoardContext, wanted: Sequence[AbsenceRequest]) -> list[AbsenceProblem]:
    """Return every request that is not possible."""
    with board.database.reading() as session:
        return list(_problems(session, wanted))


def _problems(session: Session, wanted: Sequence[AbsenceRequest]) -> list[AbsenceProblem]:
    rows = session.scalars(select(Person).where(Person.active))
    people = {row.person_id: row.as_info() for row in rows}
    found = []
    for index, one in enumerate(wanted):
        if one.person not in people:
            found.append(AbsenceProblem(index, "no_person", one.person))
        elif one.last_day < one.first_day:
            found.append(AbsenceProblem(index, "period", one.last_day.isoformat()))
        elif one.substitute and one.substitute not in people:
            found.append(AbsenceProblem(index, "no_person", one.substitute))
        elif one.substitute:
            person, other = people[one.person], people[one.substitute]
            same = (person.identity or person.id) == (other.identity or other.id)
            if same or not is_allowed(other, "approval.answer"):
                found.append(AbsenceProblem(index, "substitute", one.substitute))
    return found


def set_absences(board: BoardContext, by: Actor, wanted: Sequence[AbsenceRequest]) -> int:
    """Enter absences, all or none; return how many are new. The same one again changes nothing.

    A substitute whom another than the approver enters decides only if a second person allows it.
    """
    with board.database.reading() as session:
        _require_possible(session, wanted)
        grants = _grants(session, by, wanted)
    requests.require_all(board, by, Kind.DELEGATION, grants)
    return _set_absences(board, by, wanted)


@repeat_on_conflict
def _set_absences(board: BoardContext, by: Actor, wanted: Sequence[AbsenceRequest]) -> int:
    now = board.clock()
    with board.database.transaction() as session:
        _require_possible(session, wanted)
        grants = _grants(session, by, wanted)
        used = requests.use_all(session, by, Kind.DELEGATION, grants, now)
        zone = revisions.running_chart(session).company.zone
        added = [d for one in wanted if (d := _added(session, by, one, zone, now)) is not None]
        for row in added:
            _append_entry(session, by, row, now)
        requests.record_used(session, by, Kind.DELEGATION, grants, used, now)
        return len(added)


def _require_possible(session: Session, wanted: Sequence[AbsenceRequest]) -> None:
    problems = _problems(session, wanted)
    if problems:
        first = problems[0]
        why = t(f"imports.bad.{first.key}.what", value=first.value)
        raise Invalid(what=t("roster.absence"), why=why)


def _grants(session: Session, by: Actor, wanted: Sequence[AbsenceRequest]) -> list[tuple[str, str]]:
    """Return the decisions that new substitutes would gain, entered by another person."""
    zone = revisions.running_chart(session).company.zone
    found = []
    for one in wanted:
        person = session.get(Person, one.person) if one.substitute else None
        if person is None or person.role not in PRIVILEGED or by == Actor.person(one.person):
            continue
        if session.scalar(_same(one, zone)) is None:
            ends = _midnight(one.last_day + _ONE_DAY, zone)
            found.append(delegation_grant(one.substitute, one.person, ends))
    return found


def _added(
    session: Session, by: Actor, one: AbsenceRequest, zone: tzinfo, now: datetime
) -> Delegation | None:
    if session.scalar(_same(one, zone)) is not None:
        return None
    begins, ends = _midnight(one.first_day, zone), _midnight(one.last_day + _ONE_DAY, zone)
    row = Delegation(
        principal_id=one.person,
        delegate_id=one.substitute or None,
        begins_at=begins,
        ends_at=ends,
        absent=True,
        reason=one.reason,
        set_by=str(by),
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def _same(one: AbsenceRequest, zone: tzinfo) -> Select[int]:
    """Return the query for an absence that is entered already."""
    return select(Delegation.delegation_id).where(
        Delegation.principal_id == one.person,
        Delegation.absent,
        Delegation.revoked_at.is_(None),
        Delegation.begins_at == _midnight(one.first_day, zone),
        Delegation.ends_at == _midnight(one.last_day + _ONE_DAY, zone),
        Delegation.delegate_id.is_(None)
        if not one.substitute
        else Delegation.delegate_id == one.substitute,
    )


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _append_entry(session: Session, by: Actor, row: Delegation, now: datetime) -> None:
    begins, ends = row.begins_at.isoformat(), row.ends_at.isoformat()
    detail = {
        "delegation": row.delegation_id,
        "principal": row.principal_id,
        "delegate": row.delegate_id,
        "begins": begins,
        "ends": ends,
        "absent": True,
        "reason": row.reason,
    }
    if row.delegate_id is None:
        log.append(
            session,
            EntryKind.ABSENCE_SET,
            actor=str(by),
            now=now,
            detail=detail,
            who=row.principal_id,
            begins=begins[:16],
            ends=ends[:16],
        )
        return
    log.append(
        session,
        EntryKind.DELEGATED,
        actor=str(by),
        now=now,
        detail=detail,
        principal=row.principal_id,
        delegate=row.delegate_id,
        ends=ends[:16],
    )


@repeat_on_conflict
def end_absence(board: BoardContext, by: Actor, number: int) -> None:
    """End a present or future absence. Raises `NotFound` if it is neither."""
    now = board.clock()
    d = Delegation
    with board.database.transaction() as session:
        ended = session.scalars(
            update(d)
            .where(d.delegation_id == number, d.absent, d.revoked_at.is_(None), d.ends_at > now)
            .values(revoked_at=now)
            .returning(d)
        ).one_or_none()
        if ended is None:
            raise NotFound(what=t("roster.absence"))
        log.append(
            session,
            EntryKind.DELEGATION_REVOKED,
            actor=str(by),
            now=now,
            detail={
                "delegations": [number],
                "principal": ended.principal_id,
                "delegate": ended.delegate_id,
            },
            principal=ended.principal_id,
            delegate=ended.delegate_id or "-",
        )
