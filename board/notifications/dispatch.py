"""Decide the recipients of an alert or a notice, and queue one message for each person and medium.

A worker does this once for each message of the outbox, before it is sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.core import outbox
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue, OutboxEntry
from guardia.board.core.notice_kinds import EMERGENCIES, NoticeKind
from guardia.board.core.notices import Notice
from guardia.board.core.outbox import Route
from guardia.board.issues import following
from guardia.board.notifications import audience, on_call
from guardia.board.notifications.copies import send_copies
from guardia.board.notifications.policy import NEVER_COLLECTED, plan_delivery
from guardia.board.notifications.rooms import DutyRoom, Resolve, as_listed
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Misconfigured
from guardia.org import revisions
from guardia.org.chart_model import OrgChart


@repeat_on_conflict
def dispatch(board: BoardContext, outbox_id: int, resolve: Resolve = as_listed) -> None:
    """Queue the copies of an alert or a notice, unless that was done before.

    `resolve` finds the rooms on duty.
    """
    now = board.clock()
    with board.database.transaction() as session:
        row = session.get(OutboxEntry, outbox_id, with_for_update=True)
        if row is None or row.dispatched_at is not None or row.kind == "message" or row.medium:
            return
        row.dispatched_at = now
        chart = running_chart(session)
        if chart is None:
            return
        kind = NoticeKind(row.notice or NoticeKind.ALERT)
        if row.kind == "alert":
            _add_notices(session, row, kind, now)
        notices = _notices(session, outbox_id)
        if kind in EMERGENCIES:
            # They are called for it, which says the same.
            called = on_call.first_called(session, chart, row.sr_id, now)
            notices = [one for one in notices if one.person_id not in called]
        _plan(session, chart, notices, kind, now)
        if kind in EMERGENCIES:
            _tell_rooms(session, row, resolve(chart.notifications.rooms), now)
            on_call.begin(session, chart, row, now)


def running_chart(session: Session) -> OrgChart | None:
    """Return the applied chart, or `None` before the first one."""
    try:
        return revisions.running_chart(session)
    except Misconfigured:
        return None


def _add_notices(session: Session, row: OutboxEntry, kind: NoticeKind, now: datetime) -> None:
    people = audience.of_alert(session, kind, row.sr_id, now)
    if not people:
        return
    values = {
        "kind": kind.value,
        "sr_id": row.sr_id,
        "text": row.text,
        "outbox_id": row.outbox_id,
        "created_at": now,
    }
    session.execute(
        insert(Notice).on_conflict_do_nothing(), [{"person_id": p, **values} for p in people]
    )


def _notices(session: Session, outbox_id: int) -> list[Notice]:
    query = select(Notice).where(Notice.outbox_id == outbox_id).order_by(Notice.notice_id)
    return list(session.scalars(query))


def _plan(
    session: Session, chart: OrgChart, notices: list[Notice], kind: NoticeKind, now: datetime
) -> None:
    """Send each notice now, or note when it is due; who muted its issue finds it on the page."""
    quiet = set()
    if kind not in NEVER_COLLECTED:
        people = [n.person_id for n in notices]
        quiet = following.muted(session, next((n.sr_id for n in notices), None), people)
    wanted = audience.preferences(session, [n.person_id for n in notices])
    for notice in notices:
        if notice.person_id in quiet:
            continue
        preference = wanted[notice.person_id]
        plan = plan_delivery(
            kind,
            preference,
            chart.notifications,
            now,
            chart.company.zone,
            in_room=notice.in_room,
        )
        if plan.due_at is not None:
            notice.due_at = plan.due_at
        elif plan.media:
            send_copies(session, chart, notice, preference, now, media=plan.media, text=notice.text)


def _tell_rooms(
    session: Session, row: OutboxEntry, rooms: Iterable[DutyRoom], now: datetime
) -> None:
    """Send an emergency to every room on duty, but not again to the room of its issue."""
    issue = session.get(Issue, row.sr_id) if row.sr_id is not None else None
    for one in dict.fromkeys(rooms):
        if issue and one.room and (one.channel or issue.channel, one.room) == _home(issue):
            continue
        route = Route(channel=one.channel)
        copied = outbox.send(
            session, "message", row.text, now, room=one.room, sr_id=row.sr_id, route=route
        )
        session.get_one(OutboxEntry, copied).cause_id = row.outbox_id


def _home(issue: Issue) -> tuple[str, str]:
    return issue.channel, issue.room
