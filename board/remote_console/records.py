"""What every use case of the remote console shares: lock a run, count, announce, record its end."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.canonical import digest
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.remote_console.model import RemoteRun, RemoteTarget
from guardia.board.remote_console.policy import Counts, RunState, TargetState
from guardia.board.remote_console.targets import READ, RUN
from guardia.db import events
from guardia.errors import NotFound
from guardia.i18n import t, t_default
from guardia.org.access import is_allowed, require_permission
from guardia.org.directory import PersonInfo

EVENT = "remote"
"""Kind of the event that lets open pages of a run read again."""
CLOCK = Actor.system("clock")


def require_reader(viewer: PersonInfo | None, number: int | None = None) -> None:
    """Raise `NotFound` unless a person may see runs; `None` is the operator."""
    if viewer is not None and not is_allowed(viewer, READ):
        what = t("remote.title") if number is None else t("remote.number", number=number)
        raise NotFound(what=what)


def require_runner(person: PersonInfo, number: int | None = None) -> None:
    """Raise `NotFound` for an outsider, `Forbidden` for who may only read."""
    require_reader(person, number)
    require_permission(person, RUN)


def lock(session: Session, number: int) -> RemoteRun:
    """Lock a run. Raises `NotFound` if there is none."""
    row = session.get(RemoteRun, number, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(what=t("remote.number", number=number))
    return row


def counts_of(session: Session, number: int) -> dict[TargetState, int]:
    """Count the servers of a run by state."""
    query = (
        select(RemoteTarget.state, func.count())
        .where(RemoteTarget.run_id == number)
        .group_by(RemoteTarget.state)
    )
    return {TargetState(state): count for state, count in session.execute(query)}


def end_targets(
    session: Session, number: int, found: TargetState, to: TargetState, why: str, now: datetime
) -> list[str]:
    """End the servers of a run that are in one state; return their names."""
    query = (
        update(RemoteTarget)
        .where(RemoteTarget.run_id == number, RemoteTarget.state == found.value)
        .values(state=to.value, why=why, ended_at=now)
        .returning(RemoteTarget.server_id)
    )
    return sorted(session.scalars(query))


def announce(session: Session, number: int) -> None:
    """Let the open pages of a run read again."""
    events.announce(session, kind=EVENT, run=number)


def record(
    session: Session,
    row: RemoteRun,
    kind: EntryKind,
    by: Actor,
    now: datetime,
    detail: dict[str, Any],
    **words: Any,
) -> None:
    """Record an entry about a run; call it last in a transaction."""
    session.flush()
    announce(session, row.run_id)
    log.append(
        session,
        kind,
        actor=str(by),
        now=now,
        sr_id=row.sr_id,
        detail={"run": row.run_id, **detail},
        number=row.run_id,
        title=t_default(f"tools.{row.tool}.title"),
        **words,
    )


def record_end(
    session: Session, row: RemoteRun, to: RunState, counts: Counts, by: Actor, now: datetime
) -> None:
    """End a run: its counts, and the digest of what became of each server."""
    row.state, row.ended_at = to.value, now
    columns = (RemoteTarget.server_id, RemoteTarget.state, RemoteTarget.why)
    query = select(*columns).where(RemoteTarget.run_id == row.run_id)
    results = [list(found) for found in session.execute(query.order_by(RemoteTarget.ordinal))]
    detail = {
        "state": to.value,
        "counts": {state.value: count for state, count in sorted(counts.items())},
        "results": digest(results),
    }
    words = {"ok": counts.get(TargetState.OK, 0), "count": row.total}
    record(session, row, EntryKind.REMOTE_ENDED, by, now, detail, **words)
