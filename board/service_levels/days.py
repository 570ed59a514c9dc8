"""The business calendars of institutions: add and remove days, and load calendars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.service_levels.calendar import BusinessCalendar, Calendar, EveryHour
from guardia.board.service_levels.model import CalendarDay
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, Missing, NotFound, Refused
from guardia.i18n import t, t_default
from guardia.org import registry, revisions
from guardia.org.directory import PersonInfo
from guardia.org.service_levels import ServiceLevels
from guardia.text import trim

EVERYONE = ""
"""The institution of days that are for all of them."""
_MAX_NAME = 100
_LONGEST_AHEAD = timedelta(days=3 * 366)
_EDIT = "calendar.edit"
# A day that is added changes when running clocks are due: their moments are folded again.
_RECOUNT = text("""
    insert into tb_service_moment (sr_id, at, status, is_assigned, is_waiting, is_new)
    select distinct c.sr_id, cast(:now as timestamptz), r.status, r.assignee_id is not null,
        exists (select 1 from tb_question q where q.sr_id = c.sr_id and q.state = 'OPEN'), false
    from tb_service_clock c join tb_sr_request r on r.sr_id = c.sr_id
    where c.state in ('RUNNING', 'PAUSED') and c.hours = 'business'
      and (:inst = '' or r.inst_id = :inst)
""")


@dataclass(frozen=True, slots=True)
class NewDay:
    """A day to add: closed, or worked although it is a holiday."""

    day: date
    name: str
    institution: str = EVERYONE
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Calendars:
    """Calendars of all institutions, as the applied chart and the added days say."""

    levels: ServiceLevels
    everyone: BusinessCalendar
    own: Mapping[str, BusinessCalendar]

    def business(self, institution: str | None) -> BusinessCalendar:
        """Return the business calendar of an institution."""
        return self.own.get(institution or "", self.everyone)

    def of(self, hours: str, institution: str | None) -> Calendar:
        """Return what a clock counts."""
        return EveryHour() if hours == "always" else self.business(institution)


def load(session: Session) -> Calendars:
    """Return the calendars: two reads, however many institutions there are."""
    levels, zone = revisions.service_levels(session)
    rows = session.execute(select(CalendarDay.inst_id, CalendarDay.day, CalendarDay.is_open)).all()
    found: dict[str, tuple[set[date], set[date]]] = {EVERYONE: (set(), set())}
    for institution, day, is_open in rows:
        found.setdefault(institution, (set(), set()))[is_open].add(day)
    closed, opened = found[EVERYONE]

    def calendar(own_closed: set[date], own_opened: set[date]) -> BusinessCalendar:
        shut = (closed - own_opened) | own_closed
        return BusinessCalendar(
            levels.hours, zone, frozenset(shut), frozenset((opened - own_closed) | own_opened)
        )

    return Calendars(
        levels,
        calendar(set(), set()),
        {name: calendar(*days) for name, days in found.items() if name},
    )


@repeat_on_conflict
def add_day(board: BoardContext, by: PersonInfo | Actor, new: NewDay) -> None:
    """Add a day to the calendar of an institution or of all; running clocks follow.

    Raises `Missing` without a name, `Invalid` for an unknown institution or a day too far away,
    `Refused` if the day is already there.
    """
    actor, now = require_actor(by, _EDIT), board.clock()
    name = trim(new.name, _MAX_NAME)
    if not name:
        raise Missing(what=t("service.day.name"))
    if abs(new.day - now.date()) > _LONGEST_AHEAD:
        raise Invalid(what=new.day.isoformat(), why=t("service.day.far"), field="day")
    with board.database.transaction() as session:
        _require_institution(session, new.institution)
        if session.get(CalendarDay, (new.institution, new.day)) is not None:
            raise Refused(why=t("service.day.twice", day=new.day.isoformat()))
        session.add(
            CalendarDay(
                inst_id=new.institution,
                day=new.day,
                is_open=new.is_open,
                name=name,
                added_by=str(actor),
                added_at=now,
            )
        )
        _recount(session, new.institution, now)
        _record(session, new, "added", actor, now)


@repeat_on_conflict
def remove_day(
    board: BoardContext, by: PersonInfo | Actor, day: date, institution: str = EVERYONE
) -> None:
    """Remove a day that was added. Raises `NotFound` if there is none."""
    actor, now = require_actor(by, _EDIT), board.clock()
    with board.database.transaction() as session:
        row = session.get(CalendarDay, (institution, day), with_for_update=True)
        if row is None:
            raise NotFound(what=day.isoformat())
        gone = NewDay(row.day, row.name, row.inst_id, row.is_open)
        session.execute(
            delete(CalendarDay).where(CalendarDay.inst_id == institution, CalendarDay.day == day)
        )
        _recount(session, institution, now)
        _record(session, gone, "removed", actor, now)


def parse_day(given: str) -> date:
    """Return the date of a text. Raises `Invalid` for another form."""
    try:
        return date.fromisoformat(given.strip())
    except ValueError:
        raise Invalid(what=given[:40], why=t("service.day.form"), field="day") from None


def added_days(session: Session, institutions: Iterable[str] | None = None) -> list[CalendarDay]:
    """Return the days that were added by hand, in order."""
    query = select(CalendarDay).order_by(CalendarDay.day, CalendarDay.inst_id)
    if institutions is not None:
        query = query.where(CalendarDay.inst_id.in_(list(institutions)))
    return list(session.scalars(query))


def _require_institution(session: Session, institution: str) -> None:
    if institution and institution not in registry.institution_ids(session):
        why = t("rules.wrong.institution")
        raise Invalid(what=institution, why=why, field="institution")


def _recount(session: Session, institution: str, now: datetime) -> None:
    session.flush()
    session.execute(_RECOUNT, {"now": now, "inst": institution})


def _record(session: Session, of: NewDay, change: str, actor: Actor, now: datetime) -> None:
    detail = {
        "day": of.day.isoformat(),
        "institution": of.institution,
        "is_open": of.is_open,
        "name": of.name,
        "change": change,
    }
    log.append(
        session,
        EntryKind.CALENDAR_CHANGED,
        actor=str(actor),
        now=now,
        detail=detail,
        day=of.day.isoformat(),
        name=of.name,
        change=t_default(f"service.day.{change}"),
        what=t_default("service.day.open" if of.is_open else "service.day.closed"),
        place=of.institution or t_default("service.day.all"),
        who=actor.label if actor.label != "cli" else t_default("web.operator"),
    )
