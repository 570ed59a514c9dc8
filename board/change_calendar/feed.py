"""The iCalendar feed: an address with a token for each person, and the calendar itself."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from icalendar import Calendar, Event
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.change_calendar import entries
from guardia.board.change_calendar.model import CalendarFeed
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NotFound
from guardia.i18n import t, t_default
from guardia.org.access import is_allowed, require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Person

_PERMISSION = "calendar_feed.own"
_BACK, _AHEAD = timedelta(days=30), timedelta(days=180)


@repeat_on_conflict
def new_address(board: BoardContext, person: PersonInfo) -> str:
    """Return the token of a new feed, which is shown only once; an earlier one ends."""
    require_permission(person, _PERMISSION)
    token, now = secrets.token_urlsafe(32), board.clock()
    with board.database.transaction() as session:
        session.execute(delete(CalendarFeed).where(CalendarFeed.person_id == person.id))
        session.add(CalendarFeed(person_id=person.id, token_hash=_digest(token), created_at=now))
        session.flush()
        _record(session, person, "created", now)
    return token


@repeat_on_conflict
def end_feed(board: BoardContext, person: PersonInfo) -> None:
    """End the feed of a person. Raises `NotFound` if there is none."""
    require_permission(person, _PERMISSION)
    with board.database.transaction() as session:
        row = session.get(CalendarFeed, person.id, with_for_update=True)
        if row is None:
            raise NotFound(what=t("changes.feed.title"))
        session.delete(row)
        session.flush()
        _record(session, person, "ended", board.clock())


def has_feed(board: BoardContext, person: PersonInfo) -> bool:
    """Return whether a person has a feed."""
    with board.database.reading() as session:
        return session.get(CalendarFeed, person.id) is not None


def read_feed(board: BoardContext, token: str, address: str) -> bytes:
    """Return the calendar of the token's owner as iCalendar.

    Raises `NotFound` for an unknown token, and if its owner may not read changes any more.
    """
    now = board.current_time()
    with board.database.reading() as session:
        query = (
            select(Person)
            .join(CalendarFeed, CalendarFeed.person_id == Person.person_id)
            .where(CalendarFeed.token_hash == _digest(token), Person.active)
        )
        owner = session.scalar(query)
        if owner is None or not is_allowed(owner.as_info(), "change.read"):
            raise NotFound(what=t("changes.feed.title"))
        found = entries.entries_between(session, now - _BACK, now + _AHEAD)
    calendar = Calendar()
    calendar.add("prodid", "-//GUARDiA//change calendar//KO")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", t("changes.title"))
    for one in found:
        if one.begins is None:
            continue
        event = Event()
        event.add("uid", f"{one.key}@guardia")
        event.add("dtstamp", now)
        event.add("dtstart", one.begins)
        event.add("dtend", one.ends or one.begins)
        event.add("summary", f"[{t(f'changes.type.{one.type}')}] {one.place} {one.title}")
        event.add("location", one.place)
        event.add("url", f"{address}{one.path}")
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _record(session: Session, person: PersonInfo, change: str, now: datetime) -> None:
    log.append(
        session,
        EntryKind.CALENDAR_FEED_CHANGED,
        actor=str(Actor.of(person)),
        now=now,
        detail={"change": change},
        change=t_default(f"changes.feed.{change}"),
        who=f"{person.name} {person.title}",
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
