"""What the scheduler does for service levels: follow changes, warn, notify and escalate."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core import outbox
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.labels import format_time
from guardia.board.core.lookup import get_issue
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.notifications import audience
from guardia.board.service_levels import days, moments
from guardia.board.service_levels.model import ServiceClock
from guardia.db.engine import OUTAGE_ERRORS, repeat_on_conflict
from guardia.i18n import t, t_default

logger = logging.getLogger(__name__)

_BATCH = 100
_CLOCK = Actor.system("clock")


def process_due(board: BoardContext) -> int:
    """Move clocks and send what is due; return how much. Several hosts may do so at once."""
    done = 0
    while followed := moments.follow_moments(board):
        done += followed
    now = board.clock()
    due = (
        select(ServiceClock.sr_id, ServiceClock.kind)
        .where(ServiceClock.next_at <= now)
        .order_by(ServiceClock.next_at)
        .limit(_BATCH)
    )
    with board.database.reading() as session:
        keys = session.execute(due).all()
    for sr_id, kind in keys:
        try:
            done += _notify(board, sr_id, kind)
        except OUTAGE_ERRORS:
            raise
        except Exception:
            logger.exception("cannot process the %s clock of %s", kind, sr_id)
    return done


@repeat_on_conflict
def _notify(board: BoardContext, sr_id: int, kind: str) -> bool:
    """Send the next notice of a clock, in a transaction of its own."""
    now = board.clock()
    with board.database.transaction() as session:
        row = session.get(ServiceClock, (sr_id, kind), with_for_update=True)
        if row is None or not _is_due(row, now):
            return False
        entry = _step(row, now)
        calendars = days.load(session)
        moments.plan_next(row, calendars)
        if entry is EntryKind.SERVICE_WARNED and _is_due(row, now):
            # It is exceeded already: one notice says so.
            entry = _step(row, now)
            moments.plan_next(row, calendars)
        roles = calendars.levels.escalate_to if entry is EntryKind.SERVICE_ESCALATED else ()
        _send(session, row, entry, roles, now)
        return True


def _is_due(row: ServiceClock, now: datetime) -> bool:
    return row.next_at is not None and row.next_at <= now


def _step(row: ServiceClock, now: datetime) -> EntryKind:
    """Note the next step of a clock that is due."""
    if row.warned_at is None and row.notified_at is None:
        row.warned_at = now
        return EntryKind.SERVICE_WARNED
    if row.notified_at is None:
        row.notified_at, row.broken_at = now, row.due_at or now
        return EntryKind.SERVICE_BROKEN
    row.escalated_at = now
    return EntryKind.SERVICE_ESCALATED


def _send(
    session: Session,
    row: ServiceClock,
    entry: EntryKind,
    roles: tuple[str, ...],
    now: datetime,
) -> None:
    issue = get_issue(session, row.sr_id)
    words = {
        "sr": issue_ref(row.sr_id),
        "title": issue.title,
        "kind": t(f"service.kind.{row.kind}"),
        "due": format_time(row.due_at or now, "short"),
    }
    text = t(f"service.notice.{entry.value}", **words)
    if entry is EntryKind.SERVICE_ESCALATED:
        people = audience.with_role(session, *roles)
        outbox.notify(session, NoticeKind.SERVICE_LATE, text, people, now, sr_id=row.sr_id)
    else:
        warned = entry is EntryKind.SERVICE_WARNED
        kind = NoticeKind.SERVICE_DUE if warned else NoticeKind.SERVICE_LATE
        outbox.send(session, "alert", text, now, sr_id=row.sr_id, notice=kind)
    session.flush()
    log.append(
        session,
        entry,
        actor=str(_CLOCK),
        now=now,
        sr_id=row.sr_id,
        detail={
            "clock": row.kind,
            "target_seconds": row.target_seconds,
            "due": row.due_at.isoformat() if row.due_at else None,
        },
        clock=t_default(f"service.kind.{row.kind}"),
        due=words["due"],
    )
