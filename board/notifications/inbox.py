"""A person's notices, their preferences, and open emergencies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.notices import Notice
from guardia.board.notifications import audience
from guardia.board.notifications.model import NoticePreference, OnCallAlarm
from guardia.board.notifications.policy import Preference
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org.access import is_allowed, require_permission
from guardia.org.directory import PersonInfo
from guardia.text import fold

OWN = "notice.own"
MEDIA = ("messenger", "mail", "sms")
MAX_DIGEST_MINUTES = 24 * 60
_SIZE = 30
_PHONE = re.compile(r"\+?[0-9][0-9-]{7,18}[0-9]")
_MAIL = re.compile(r"[^@\s<>\",;]{1,64}@[^@\s<>\",;]{1,190}")
_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")


@dataclass(frozen=True, slots=True)
class NoticeView:
    """One notice of a person."""

    notice_id: int
    kind: str
    sr_id: int | None
    text: str
    created_at: datetime
    is_read: bool
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class PersonNotices:
    """The newest notices of a person."""

    notices: tuple[NoticeView, ...]
    unread: int
    older: int | None
    """Number before which the next page begins; `None` at the end."""


@dataclass(frozen=True, slots=True)
class AlarmView:
    """An emergency, and who has been called."""

    on_call_id: int
    kind: str
    sr_id: int | None
    text: str
    state: str
    called: tuple[str, ...]
    created_at: datetime
    next_at: datetime | None
    acknowledged_by: str
    acknowledged_at: datetime | None


def inbox(board: BoardContext, person: PersonInfo, before: int | None = None) -> PersonNotices:
    """Return a page of a person's notices, newest first."""
    require_permission(person, OWN, institution=person.institution)
    own = Notice.person_id == person.id
    query = select(Notice).where(own).order_by(Notice.notice_id.desc()).limit(_SIZE + 1)
    if before is not None:
        query = query.where(Notice.notice_id < before)
    unread = select(func.count()).where(own, Notice.read_at.is_(None))
    with board.database.reading() as session:
        rows = list(session.scalars(query))
        count = session.scalar(unread) or 0
        found = tuple(
            NoticeView(
                n.notice_id,
                n.kind,
                n.sr_id,
                n.text or t(f"notices.kind.{n.kind}"),
                n.created_at,
                n.read_at is not None,
                n.due_at,
            )
            for n in rows[:_SIZE]
        )
    return PersonNotices(found, count, found[-1].notice_id if len(rows) > _SIZE else None)


@repeat_on_conflict
def mark_read(board: BoardContext, person: PersonInfo) -> None:
    """Mark all notices of a person as read; what waited to be sent is not sent any more."""
    require_permission(person, OWN, institution=person.institution)
    with board.database.transaction() as session:
        session.execute(
            update(Notice)
            .where(Notice.person_id == person.id, Notice.read_at.is_(None))
            .values(read_at=board.clock(), due_at=None)
        )


def preference_of(board: BoardContext, person: str) -> Preference:
    """Return what a person has chosen."""
    with board.database.reading() as session:
        return audience.preferences(session, [person])[person]


@repeat_on_conflict
def set_preference(board: BoardContext, person: PersonInfo, wanted: Preference) -> None:
    """Store how a person is to be notified. Raises `Invalid` for an unusable value."""
    require_permission(person, OWN, institution=person.institution)
    kept = _checked(wanted)
    now = board.clock()
    values = {
        "phone": kept.phone,
        "mail": kept.mail,
        "media": None if kept.media is None else list(kept.media),
        "quiet_from": kept.quiet_from,
        "quiet_until": kept.quiet_until,
        "digest_minutes": kept.digest_minutes,
        "updated_at": now,
    }
    with board.database.transaction() as session:
        row = insert(NoticePreference).values(person_id=person.id, **values)
        session.execute(row.on_conflict_do_update(index_elements=["person_id"], set_=values))
        log.append(
            session,
            EntryKind.NOTICE_PREFERENCE_SET,
            actor=str(Actor.of(person)),
            now=now,
            detail={
                "person": person.id,
                "media": values["media"],
                "quiet": [kept.quiet_from, kept.quiet_until],
                "digest_minutes": kept.digest_minutes,
            },
            person=person.id,
        )


def _checked(wanted: Preference) -> Preference:
    phone, mail = fold(wanted.phone).strip(), fold(wanted.mail).strip()
    if phone and not _PHONE.fullmatch(phone):
        raise Invalid(what=t("notices.phone"), why=t("notices.phone_form"))
    if mail and not _MAIL.fullmatch(mail):
        raise Invalid(what=t("notices.mail"), why=t("notices.mail_form"))
    if wanted.media is not None and set(wanted.media) - set(MEDIA):
        raise Invalid(what=t("notices.media"), why=", ".join(MEDIA))
    clocks = (wanted.quiet_from, wanted.quiet_until)
    if clocks != ("", "") and not (all(map(_CLOCK.fullmatch, clocks)) and len(set(clocks)) > 1):
        raise Invalid(what=t("notices.quiet"), why=t("notices.quiet_form"))
    if wanted.digest_minutes is not None and not 0 <= wanted.digest_minutes <= MAX_DIGEST_MINUTES:
        raise Invalid(what=t("notices.digest_minutes"), why=f"0-{MAX_DIGEST_MINUTES}")
    return Preference(phone, mail, wanted.media, *clocks, wanted.digest_minutes)


def alarms(board: BoardContext, person: PersonInfo, limit: int = 20) -> list[AlarmView]:
    """Return the emergencies that wait for an answer, then the newest others."""
    if not is_allowed(person, "notice.acknowledge"):
        return []
    return list_alarms(board, limit)


def list_alarms(board: BoardContext, limit: int = 20) -> list[AlarmView]:
    """Return emergencies, those that wait first."""
    a = OnCallAlarm
    query = select(a).order_by((a.state == "WAITING").desc(), a.on_call_id.desc()).limit(limit)
    with board.database.reading() as session:
        return [
            AlarmView(
                one.on_call_id,
                one.kind,
                one.sr_id,
                one.text,
                one.state,
                tuple(one.called),
                one.created_at,
                one.next_at,
                one.acknowledged_by or "",
                one.acknowledged_at,
            )
            for one in session.scalars(query)
        ]
