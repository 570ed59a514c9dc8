"""Emergencies: call one person on duty after the other until a person acknowledges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.choices import Choice, ChoiceStyle
from guardia.board.core.context import BoardContext
from guardia.board.core.model import OutboxEntry
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.notices import Notice
from guardia.board.notifications import audience
from guardia.board.notifications.copies import send_copies
from guardia.board.notifications.model import OnCallAlarm
from guardia.board.notifications.policy import plan_delivery
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NotFound
from guardia.i18n import t, t_default
from guardia.org import revisions
from guardia.org.access import require_permission
from guardia.org.chart_model import OrgChart
from guardia.org.directory import PersonInfo

ACT = "acknowledge"
PERMISSION = "notice.acknowledge"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The result of an acknowledgement."""

    on_call_id: int
    sr_id: int | None
    by: str
    """Account of the person who acknowledged it first."""
    is_first: bool


def begin(session: Session, chart: OrgChart, row: OutboxEntry, now: datetime) -> None:
    """Open the alarm of an emergency and call the first step, once."""
    added = session.scalar(
        insert(OnCallAlarm)
        .values(
            outbox_id=row.outbox_id,
            kind=row.notice,
            sr_id=row.sr_id,
            text=row.text,
            state="WAITING",
            created_at=now,
            next_at=now,
        )
        .on_conflict_do_nothing()
        .returning(OnCallAlarm.on_call_id)
    )
    if added is not None:
        call_next(session, chart, session.get_one(OnCallAlarm, added), now)


def process_due(board: BoardContext) -> None:
    """Call the next step of every alarm that was not acknowledged in time."""
    now = board.clock()
    query = select(OnCallAlarm.on_call_id).where(
        OnCallAlarm.state == "WAITING", OnCallAlarm.next_at <= now
    )
    with board.database.reading() as session:
        due = session.scalars(query.order_by(OnCallAlarm.on_call_id)).all()
    for on_call_id in due:
        _process(board, on_call_id)


@repeat_on_conflict
def _process(board: BoardContext, on_call_id: int) -> None:
    now = board.clock()
    with board.database.transaction() as session:
        alarm = session.get(OnCallAlarm, on_call_id, with_for_update=True)
        # Another host or a person was first.
        if alarm is None or alarm.state != "WAITING" or not alarm.next_at or alarm.next_at > now:
            return
        call_next(session, revisions.running_chart(session), alarm, now)


def call_next(session: Session, chart: OrgChart, alarm: OnCallAlarm, now: datetime) -> None:
    """Call the people of the next step that has any; after the last one the alarm is exhausted."""
    steps = chart.notifications.escalation.steps
    people: list[str] = []
    while alarm.step < len(steps) and not people:
        people = _people(session, steps[alarm.step], alarm.sr_id, alarm.called, now)
        alarm.step += 1
    if not people:
        alarm.state, alarm.next_at = "EXHAUSTED", None
        return
    alarm.next_at = now + chart.notifications.escalation.after
    alarm.called = [*alarm.called, *people]
    _call(session, chart, alarm, people, now)
    names = ", ".join(people)
    log.append(
        session,
        EntryKind.ON_CALL_CALLED,
        actor=str(Actor.system("notifications")),
        now=now,
        sr_id=alarm.sr_id,
        detail={"alarm": alarm.on_call_id, "step": alarm.step, "people": people},
        alarm=alarm.on_call_id,
        step=alarm.step,
        names=names,
    )


def first_called(session: Session, chart: OrgChart, sr_id: int | None, now: datetime) -> set[str]:
    """Return whom the first step of an emergency calls."""
    steps = chart.notifications.escalation.steps
    found = (_people(session, step, sr_id, (), now) for step in steps)
    return set(next((people for people in found if people), []))


def _people(
    session: Session, step: str, sr_id: int | None, called: Sequence[str], now: datetime
) -> list[str]:
    """Return whom a step calls: the next person on duty, or everyone of a role."""
    if step == "duty":
        return [one for one in audience.on_duty(session, sr_id, now) if one not in called][:1]
    return [one for one in audience.with_role(session, step) if one not in called]


def _call(
    session: Session, chart: OrgChart, alarm: OnCallAlarm, people: Sequence[str], now: datetime
) -> None:
    text = t_default("notices.call", id=alarm.on_call_id, text=alarm.text)
    wanted = audience.preferences(session, people)
    label = t_default("notices.acknowledge")
    choice = Choice(ACT, str(alarm.on_call_id), label, ChoiceStyle.PRIMARY)
    for person in people:
        notice = Notice(
            person_id=person,
            kind=NoticeKind.ON_CALL.value,
            sr_id=alarm.sr_id,
            text=text,
            created_at=now,
        )
        session.add(notice)
        rules = chart.notifications
        plan = plan_delivery(NoticeKind.ON_CALL, wanted[person], rules, now, chart.company.zone)
        send_copies(
            session,
            chart,
            notice,
            wanted[person],
            now,
            media=plan.media,
            text=text,
            choices=(choice,),
        )
    session.flush()


@repeat_on_conflict
def acknowledge(board: BoardContext, person: PersonInfo, on_call_id: int) -> Acknowledged:
    """Take over an emergency, which ends the calls. The first one counts."""
    require_permission(person, PERMISSION)
    now = board.clock()
    with board.database.transaction() as session:
        alarm = session.get(OnCallAlarm, on_call_id, with_for_update=True)
        if alarm is None:
            raise NotFound(what=t("notices.alarm", id=on_call_id))
        if alarm.state == "ACKNOWLEDGED":
            return Acknowledged(on_call_id, alarm.sr_id, alarm.acknowledged_by or "", False)
        alarm.state, alarm.next_at = "ACKNOWLEDGED", None
        alarm.acknowledged_by, alarm.acknowledged_at = person.id, now
        log.append(
            session,
            EntryKind.ON_CALL_ACKNOWLEDGED,
            actor=str(Actor.of(person)),
            now=now,
            sr_id=alarm.sr_id,
            detail={"alarm": on_call_id},
            alarm=on_call_id,
        )
        return Acknowledged(on_call_id, alarm.sr_id, person.id, True)
