"""The auditor's use cases: verify the audit log, log the result, alert about missing reports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.chain import ORIGIN, ChainVerdict
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.outbox import send
from guardia.board.core.run_model import Tick
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.integrity import verification
from guardia.board.integrity.lost_witnesses import is_of_witness
from guardia.board.integrity.verification import VerificationResult
from guardia.board.runs import ticks
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Misconfigured
from guardia.i18n import t_default
from guardia.org import registry, revisions
from guardia.org.zones import is_zone

DAILY = WakeReason.DAILY
"""Wake reason of the auditor's full daily verification."""
_GRACE = timedelta(hours=1)
"""Time after midnight at which a missing daily report raises an alert."""
_DAYS = 7


@repeat_on_conflict
def verify_and_log(
    board: BoardContext,
    actor: Actor,
    sr_id: int | None = None,
    *,
    daily: bool = False,
    full: bool = False,
) -> VerificationResult:
    """Verify what is new, or everything if `daily` or `full`, and log the result.

    Sends an alert at once if the audit log is not intact, or cannot be verified because a file of
    its witnesses is damaged.
    """
    day = {"day": company_today(board).isoformat()} if daily else {}
    found = _verify(board, full=daily or full)
    now, detail = board.clock(), {**found.to_detail(), **day}
    with board.database.transaction() as session:
        if found.intact:
            log.append(
                session,
                EntryKind.VERIFIED_DAILY if daily else EntryKind.VERIFIED,
                actor=str(actor),
                now=now,
                sr_id=sr_id,
                detail=detail,
                size=found.verdict.size,
                first=found.start + 1,
                last=found.verdict.size,
            )
            return found
        place = describe_fault(found.verdict)
        message = t_default("audit.broken", where=place)
        send(session, "alert", message, now, sr_id=sr_id, notice=NoticeKind.AUDIT_BROKEN)
        log.append(
            session,
            EntryKind.BROKEN,
            actor=str(actor),
            now=now,
            sr_id=sr_id,
            detail=detail,
            where=place,
        )
        return found


def _verify(board: BoardContext, *, full: bool) -> VerificationResult:
    try:
        return verification.verify_log(board, full=full)
    except Misconfigured as error:
        verdict = ChainVerdict(0, ORIGIN, fault="memory_damaged", witness=str(error))
        return VerificationResult(verdict, 0)


def describe_fault(verdict: ChainVerdict, say: Callable[..., str] = t_default) -> str:
    """Describe the first bad entry, checkpoint or witness; in the default language if unset."""
    fault = say(f"audit.fault.{verdict.fault}")
    if verdict.bad is not None:
        return say("audit.at_entry", bad=verdict.bad, fault=fault)
    if is_of_witness(verdict):
        return say("audit.at_witness", place=verdict.witness or "", fault=fault)
    return say("audit.at_checkpoint", size=verdict.checkpoint, fault=fault)


def company_zone(board: BoardContext) -> ZoneInfo:
    """Return the company's time zone. Raises `Misconfigured` if this host does not know it."""
    with board.database.reading() as session:
        name = revisions.last_good_chart(session)[1].company.timezone
    if not is_zone(name):
        raise Misconfigured(what="company.timezone", why=name)
    return ZoneInfo(name)


def company_today(board: BoardContext) -> date:
    """Return the company's date."""
    return board.clock().astimezone(company_zone(board)).date()


def start_daily_verification(board: BoardContext) -> None:
    """Wake the auditors for the day's full verification, once across all hosts."""
    midnight = _midnight(company_today(board), company_zone(board))
    with board.database.reading() as session:
        auditors = registry.auditors(session)
    for auditor in auditors:
        ticks.tick(board, auditor, midnight, DAILY)


@repeat_on_conflict
def alert_missing_reports(board: BoardContext) -> list[date]:
    """Alert about each day without a report, once across all hosts; returns those days.

    Only days that began after the first audit entry count. Also starts today's verification if it
    has not been started yet.
    """
    now, local_zone = board.clock(), company_zone(board)
    day = now.astimezone(local_zone).date()
    missing = []
    for that in (day - timedelta(days=back) for back in reversed(range(_DAYS))):
        midnight = _midnight(that, local_zone)
        with board.database.transaction() as session:
            if _is_reported(session, that, midnight) or not _log_began_before(session, midnight):
                continue
            if now - midnight > _GRACE and _is_first_alert(session, midnight):
                missing.append(that)
                _alert_missing(session, that, now)
        if that == day:
            start_daily_verification(board)
    return missing


def _midnight(day: date, local_zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), local_zone)


def _is_reported(session: Session, day: date, midnight: datetime) -> bool:
    found = session.scalar(
        select(AuditEntry.seq)
        .where(
            AuditEntry.created_at >= midnight,
            AuditEntry.created_at < midnight + timedelta(days=2),
            AuditEntry.kind.in_((EntryKind.VERIFIED_DAILY, EntryKind.BROKEN)),
            AuditEntry.detail["day"].as_string() == day.isoformat(),
        )
        .limit(1)
    )
    return found is not None


def _log_began_before(session: Session, midnight: datetime) -> bool:
    first = session.scalar(select(func.min(AuditEntry.created_at)))
    return first is not None and first < midnight


def _is_first_alert(session: Session, midnight: datetime) -> bool:
    row = insert(Tick).values(agent_id="missing-report", tick=midnight)
    return session.scalar(row.on_conflict_do_nothing().returning(Tick.agent_id)) is not None


def _alert_missing(session: Session, day: date, now: datetime) -> None:
    word = day.isoformat()
    send(session, "alert", t_default("audit.report_missing", day=word), now, sr_id=None)
    log.append(
        session,
        EntryKind.REPORT_MISSING,
        actor=str(Actor.system("clock")),
        now=now,
        detail={"day": word},
        day=word,
    )
