"""Whether this installation can work: what monitoring asks, and `guardia status`.

Numbers and yes or no, never a name, an address or a text: the answer needs no sign-in.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.context import BoardContext
from guardia.db.clock import DatabaseClock
from guardia.db.engine import OUTAGE_ERRORS
from guardia.errors import Misconfigured
from guardia.org import revisions
from guardia.settings import Settings

_FREE_MB = 200
"""Free room on a disk below which something will fail soon."""
_VERIFIED_WITHIN = timedelta(hours=26)
_CACHE_SECONDS = 2.0
"""Strangers may ask, too: the database is asked at most once in this time."""
_VERIFICATIONS = (EntryKind.VERIFIED, EntryKind.VERIFIED_DAILY, EntryKind.BROKEN)
_WORKERS = text(
    "select count(*) from procrastinate_workers where last_heartbeat > now() - interval '8 s'"
)
Facts = dict[str, bool | int | float | str | None]


@dataclass(frozen=True, slots=True)
class Readiness:
    """The checks by name; each has `ok` and its numbers."""

    checks: dict[str, Facts] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether all checks passed."""
        return bool(self.checks) and all(check["ok"] for check in self.checks.values())


def check(board: BoardContext, settings: Settings) -> Readiness:
    """Look at everything that this installation needs; never raises."""
    found: dict[str, Facts] = {}
    try:
        with board.database.reading() as session:
            found["database"] = {"ok": True}
            found |= _in_database(session, board)
    except OUTAGE_ERRORS:
        found["database"] = {"ok": False}
    found["disk"] = _disk(board, settings)
    found["clock"] = _clock(board)
    found["stop"] = {"ok": not (board.local_stop and board.local_stop.is_pressed())}
    return Readiness(found)


def without_database(settings: Settings) -> Readiness:
    """Return the checks of an installation whose database does not run."""
    return Readiness({"database": {"ok": False}, "disk": _free(settings)})


def _in_database(session: Session, board: BoardContext) -> dict[str, Facts]:
    alive = session.scalar(_WORKERS) or 0
    return {
        "workers": {"ok": alive > 0, "alive": alive},
        "audit": _audit(session, board.current_time()),
        "chart": {"ok": _chart_is_readable(session)},
    }


def _audit(session: Session, now: datetime) -> Facts:
    recent = AuditEntry.created_at > now - 2 * _VERIFIED_WITHIN
    last = session.execute(
        select(AuditEntry.kind, AuditEntry.created_at)
        .where(recent, AuditEntry.kind.in_(_VERIFICATIONS))
        .order_by(AuditEntry.seq.desc())
        .limit(1)
    ).first()
    if last is None:
        begun = session.scalar(select(AuditEntry.created_at).order_by(AuditEntry.seq).limit(1))
        return {"ok": begun is None or now - begun < _VERIFIED_WITHIN, "verified_at": None}
    in_time = now - last.created_at < _VERIFIED_WITHIN
    intact = last.kind != EntryKind.BROKEN
    return {"ok": intact and in_time, "verified_at": last.created_at.isoformat(), "intact": intact}


def _chart_is_readable(session: Session) -> bool:
    try:
        revisions.running_chart(session)
    except Misconfigured:
        return False
    return True


def _disk(board: BoardContext, settings: Settings) -> Facts:
    found = _free(settings)
    reserve = board.local_stop.reserve if board.local_stop else None
    if reserve is not None:
        found["reserve"] = reserve.is_kept
        found["ok"] = bool(found["ok"] and reserve.is_kept)
    return found


def _free(settings: Settings) -> Facts:
    try:
        found = os.statvfs(settings.home)
    except OSError:
        return {"ok": False, "free_mb": None}
    free = found.f_bavail * found.f_frsize >> 20
    return {"ok": free >= _FREE_MB, "free_mb": free}


def _clock(board: BoardContext) -> Facts:
    if not isinstance(board.clock, DatabaseClock):
        return {"ok": True, "offset_seconds": None}
    try:
        offset, problem = board.clock.offset(), board.clock_problem()
    except OUTAGE_ERRORS:
        return {"ok": False, "offset_seconds": None}
    return {"ok": problem is None, "offset_seconds": round(offset, 3)}


class CachedReadiness:
    """The latest checks of a board, repeated after a moment; a slow one delays no second caller."""

    def __init__(self, look: Callable[[], Readiness]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._latest = Readiness({"database": {"ok": False}})
        self._fresh_until = 0.0

    def get(self) -> Readiness:
        """Return the checks; while another caller waits for the database, the latest ones."""
        if not self._lock.acquire(blocking=False):
            return self._latest if time.monotonic() < self._fresh_until + 10 else Readiness()
        try:
            if time.monotonic() >= self._fresh_until:
                self._latest = self._look()
                self._fresh_until = time.monotonic() + _CACHE_SECONDS
            return self._latest
        finally:
            self._lock.release()
