"""Recipients of an alert: the people on duty, roles, the rooms on duty."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.cmdb import responsibility_view
from guardia.board.core.model import Issue, Task
from guardia.board.core.notice_kinds import EMERGENCIES, NoticeKind
from guardia.board.notifications.model import NoticePreference
from guardia.board.notifications.policy import Preference
from guardia.org.model import ChannelAccount, Person

_ROLES = {
    NoticeKind.AUDIT_BROKEN: ("security_officer", "admin"),
    NoticeKind.KILL_SWITCH: ("team_lead", "pm", "security_officer", "admin"),
    NoticeKind.FAILED_ROLLBACK: ("team_lead",),
    NoticeKind.STALLED: ("team_lead",),
    NoticeKind.SERVICE_LATE: ("team_lead",),
}
"""Roles that learn of an alert in addition to the people on duty."""


def of_alert(session: Session, kind: NoticeKind, sr_id: int | None, at: datetime) -> list[str]:
    """Return everyone who receives an alert, without duplicates.

    The people on duty and the assignees of its issue, and for some kinds whole roles. If no one is
    on duty, team leads and administrators.
    """
    duty = on_duty(session, sr_id, at)
    people = [*duty, *_assignees(session, sr_id)]
    people += with_role(session, *_ROLES.get(kind, ()))
    if not duty and kind in EMERGENCIES:
        people += with_role(session, "team_lead", "admin")
    return list(dict.fromkeys(people))


def on_duty(session: Session, sr_id: int | None, at: datetime) -> list[str]:
    """Return who is on duty for an issue, the closest match first; absent people are replaced."""
    issue = session.get(Issue, sr_id) if sr_id is not None else None
    home, skill = (issue.inst_id or "", issue.category or "") if issue else ("", "")
    shifts = [
        s
        for s in responsibility_view.shifts_in(session, at)
        if not home or s.institution in ("", home)
    ]
    shifts.sort(key=lambda s: (s.field != skill, s.institution != home, s.duty))
    absent = responsibility_view.absent_people(session, at)
    named = [absent.get(s.person) or s.person for s in shifts if absent.get(s.person, s.person)]
    return _active(session, list(dict.fromkeys(named)))


def with_role(session: Session, *roles: str) -> list[str]:
    """Return the active people of some roles, by account."""
    if not roles:
        return []
    query = select(Person.person_id).where(Person.active, Person.role.in_(roles))
    return list(session.scalars(query.order_by(Person.person_id)))


def _assignees(session: Session, sr_id: int | None) -> list[str]:
    if sr_id is None:
        return []
    of_tasks = select(Task.owner_id).where(Task.sr_id == sr_id, Task.owner_id.is_not(None))
    issue = session.get(Issue, sr_id)
    own = [issue.assignee_id] if issue is not None and issue.assignee_id else []
    return _active(session, list(dict.fromkeys([*own, *filter(None, session.scalars(of_tasks))])))


def _active(session: Session, people: Sequence[str]) -> list[str]:
    known = set(
        session.scalars(select(Person.person_id).where(Person.person_id.in_(people), Person.active))
    )
    return [one for one in people if one in known]


def preferences(session: Session, people: Sequence[str]) -> dict[str, Preference]:
    """Return the preferences of people, by account."""
    rows = session.scalars(select(NoticePreference).where(NoticePreference.person_id.in_(people)))
    found = {
        row.person_id: Preference(
            phone=row.phone,
            mail=row.mail,
            media=None if row.media is None else tuple(row.media),
            quiet_from=row.quiet_from,
            quiet_until=row.quiet_until,
            digest_minutes=row.digest_minutes,
        )
        for row in rows
    }
    return {person: found.get(person, Preference()) for person in people}


def messenger_accounts(session: Session, person: str) -> list[tuple[str, str]]:
    """Return channel and account of each linked messenger of a person."""
    query = (
        select(ChannelAccount.channel, ChannelAccount.account)
        .where(ChannelAccount.person_id == person)
        .order_by(ChannelAccount.channel, ChannelAccount.account)
    )
    return [(channel, account) for channel, account in session.execute(query)]
