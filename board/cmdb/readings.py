"""Reads of servers that a page asks for; a worker carries them out, so no page waits for a server.

A reading that its worker left running is carried out again: it only reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from guardia.board.cmdb import policy
from guardia.board.cmdb.model import ServerReading
from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.db import events, jobs
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NotFound
from guardia.org.directory import Host, PersonInfo
from guardia.org.model import Person, Server

JOB = "read_server"
INSPECT = "server.inspect"


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading as a worker or a page needs it."""

    reading_id: int
    server_id: str
    what: str
    """`key`, `probe` or `check`."""
    state: str
    host: Host
    result: dict[str, Any]
    why: str
    asked_at: datetime
    ended_at: datetime | None
    by: PersonInfo | None
    """Who asked; `None`: the operator, or a closed account."""
    registered: bool
    """Whether the CMDB has the server, so that its facts are kept."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self.state in ("done", "failed")


@repeat_on_conflict
def ask(board: BoardContext, by: PersonInfo, what: str, host: Host) -> int:
    """Ask for a reading; returns its number. Raises `Forbidden` or `Invalid`."""
    require_actor(by, INSPECT, institution=host.institution)
    target = policy.validated_host(host)
    with board.database.transaction() as session:
        row = _row(what, target, board.clock(), person_id=by.id)
        session.add(row)
        session.flush()
        jobs.defer(session, JOB, reading_id=row.reading_id)
        return row.reading_id


@repeat_on_conflict
def keep(
    board: BoardContext, by: PersonInfo | Actor, what: str, host: Host, result: dict[str, Any]
) -> int:
    """Keep the result of a reading that the command line has carried out itself."""
    require_actor(by, INSPECT, institution=host.institution)
    now = board.clock()
    with board.database.transaction() as session:
        row = _row(what, host, now, person_id=by.id if isinstance(by, PersonInfo) else None)
        row.state, row.result, row.ended_at = "done", result, now
        session.add(row)
        session.flush()
        return row.reading_id


@repeat_on_conflict
def begin(board: BoardContext, reading_id: int) -> Reading | None:
    """Return a reading that a worker is to carry out, or `None` if it is over."""
    with board.database.transaction() as session:
        row = session.get(ServerReading, reading_id, with_for_update=True)
        if row is None or row.state in ("done", "failed"):
            return None
        row.state = "running"
        return _value(session, row)


@repeat_on_conflict
def end(
    board: BoardContext, reading_id: int, *, result: dict[str, Any] | None = None, why: str = ""
) -> None:
    """Keep what a reading has found, or why it failed; open pages show it at once."""
    with board.database.transaction() as session:
        row = session.get(ServerReading, reading_id, with_for_update=True)
        if row is None or row.state in ("done", "failed"):
            return
        row.state = "done" if result is not None else "failed"
        row.result, row.why, row.ended_at = result or {}, why, board.current_time()
        session.flush()
        events.announce(session, kind="reading", sr_id=None, task_id=None)


def get(board: BoardContext, by: PersonInfo, reading_id: int) -> Reading:
    """Return a reading. Raises `NotFound`."""
    require_actor(by, INSPECT)
    with board.database.reading() as session:
        row = session.get(ServerReading, reading_id)
        if row is None:
            raise NotFound(what=str(reading_id))
        return _value(session, row)


def latest(board: BoardContext, by: PersonInfo | Actor, server_id: str) -> dict[str, Reading]:
    """Return the newest reading of each kind for a server."""
    require_actor(by, "server.read")
    query = (
        select(ServerReading)
        .where(ServerReading.server_id == server_id)
        .ext(distinct_on(ServerReading.what))
        .order_by(ServerReading.what, ServerReading.reading_id.desc())
    )
    with board.database.reading() as session:
        return {row.what: _value(session, row) for row in session.scalars(query)}


def _row(what: str, host: Host, now: datetime, *, person_id: str | None) -> ServerReading:
    return ServerReading(
        server_id=host.server_id,
        what=what,
        target=host.model_dump(mode="json"),
        person_id=person_id,
        asked_at=now,
    )


def _value(session: Session, row: ServerReading) -> Reading:
    person = session.get(Person, row.person_id) if row.person_id else None
    return Reading(
        reading_id=row.reading_id,
        server_id=row.server_id,
        what=row.what,
        state=row.state,
        host=Host.model_validate(row.target),
        result=row.result,
        why=row.why,
        asked_at=row.asked_at,
        ended_at=row.ended_at,
        by=person.as_info() if person is not None and person.active else None,
        registered=session.get(Server, row.server_id) is not None,
    )
