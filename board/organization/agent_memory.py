"""Agents' notebooks: read at the start of a run, written under the claim, edited by people.

A note is data for people and models: limited in length, cleaned, and never a permission.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Select, bindparam, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim, claimed_task
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Task
from guardia.board.organization.note_model import Note, NoteVersion
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Missing, NotFound, Stale
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Agent
from guardia.text import trim

WORKING_MEMORY_LIMIT = 4_000
"""Characters of one issue's working memory; the oldest lines are dropped first."""
LESSON_LIMIT = 1_000
MAX_LESSONS = 12
"""Number of lessons loaded for a run."""
_EXCERPT = 300
_VERSION = ("note_id", "version", "body", "active", "written_by", "updated_at")
_NOTES: Any = Note.__table__
_FIRST = (
    insert(_NOTES)
    .values(
        {
            name: bindparam(name)
            for name in ("agent_id", "sr_id", "body", "written_by", "created_at", "updated_at")
        }
        | {"kind": "working", "version": 1, "active": True}
    )
    .on_conflict_do_nothing()
    .returning(*(_NOTES.c[name] for name in _VERSION))
    .cte("first")
)
_VERSIONS: Any = NoteVersion.__table__
_BEGIN_WORKING = insert(_VERSIONS).from_select(
    ["note_id", "version", "body", "active", "written_by", "written_at"], select(_FIRST)
)


@dataclass(frozen=True, slots=True)
class Lesson:
    """The outcome of a runbook on a server, or what a person teaches the agent."""

    note_id: int
    body: str
    sr_id: int | None = None
    server: str | None = None
    runbook: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Notebook:
    """What an agent remembers when it starts on a task."""

    working: str = ""
    lessons: tuple[Lesson, ...] = ()


@dataclass(frozen=True, slots=True)
class RunbookOutcome:
    """How a runbook ended, in the agent's words."""

    runbook: str
    outcome: str
    """`worked`, `failed` (undone), `unchanged` (failed before any change), `not_undone`, `unknown`
    (the server was lost), `unfit` (none of its rules applied)."""
    body: str


def recall(board: BoardContext, claim: Claim) -> Notebook:
    """Return the working memory of the claimed issue, and the newest lessons, general or of its
    server.
    """
    with board.database.reading() as session:
        working = session.scalar(_working(claim.agent_id, claim.sr_id).where(Note.active))
        server = session.scalar(select(Task.target_server).where(Task.task_id == claim.task_id))
        found = session.scalars(
            select(Note)
            .where(
                Note.agent_id == claim.agent_id,
                Note.kind == "lesson",
                Note.active,
                or_(Note.server == server, Note.server.is_(None)),
            )
            .order_by(Note.updated_at.desc(), Note.note_id.desc())
            .limit(MAX_LESSONS)
        )
        lessons = tuple(
            Lesson(n.note_id, n.body, n.sr_id, n.server, n.runbook, n.outcome) for n in found
        )
        return Notebook(working.body if working else "", lessons)


@repeat_on_conflict
def write(
    board: BoardContext, claim: Claim, text: str, learned: Sequence[RunbookOutcome] = ()
) -> None:
    """Add to the working memory of the claimed issue and save lessons.

    Raises `Stale` if the claim is no longer valid. A line that is already there is not repeated.
    """
    now, actor = board.clock(), claim.actor
    with board.database.transaction() as session:
        server = claimed_task(session, claim).target_server
        _append_working(session, claim.agent_id, claim.sr_id, text, actor, now)
        for experience in learned:
            _save_lesson(session, claim, server, experience, now)


def hand_over_notes(
    session: Session, sr_id: int, before: str | None, to: str, by: Actor, text: str, now: datetime
) -> None:
    """Copy the previous agent's working memory to the successor, with a reason."""
    known = session.scalar(_working(before, sr_id)) if before else None
    parts = [known.body] if known is not None else []
    _append_working(session, to, sr_id, "\n".join([*parts, text]), by, now)


def _working(agent_id: str, sr_id: int) -> Select[Note]:
    return select(Note).where(
        Note.agent_id == agent_id, Note.kind == "working", Note.sr_id == sr_id
    )


def _append_working(
    session: Session, agent_id: str, sr_id: int, text: str, actor: Actor, now: datetime
) -> None:
    body = "\n".join(dict.fromkeys(line for line in text.splitlines() if line.strip()))
    if body and _begin_working(session, agent_id, sr_id, body[-WORKING_MEMORY_LIMIT:], actor, now):
        return
    _ensure_note(session, agent_id, "working", actor, now, sr_id=sr_id)
    note = session.scalars(_working(agent_id, sr_id).with_for_update()).one()
    known = note.body.splitlines()
    new = [line for line in text.splitlines() if line.strip() and line not in known]
    if new:
        _revise(session, note, "\n".join([*known, *new])[-WORKING_MEMORY_LIMIT:], actor, now)


def _begin_working(
    session: Session, agent_id: str, sr_id: int, body: str, actor: Actor, now: datetime
) -> bool:
    """Create the working memory with its first version; return `False` if there is one."""
    row = {"agent_id": agent_id, "sr_id": sr_id, "body": body, "written_by": str(actor)}
    done = session.execute(_BEGIN_WORKING, {**row, "created_at": now, "updated_at": now})
    assert isinstance(done, CursorResult)
    return done.rowcount == 1


def _save_lesson(
    session: Session, claim: Claim, server: str | None, what: RunbookOutcome, now: datetime
) -> None:
    if server is None:
        return
    actor, place = claim.actor, {"server": server, "runbook": what.runbook}
    _ensure_note(session, claim.agent_id, "lesson", actor, now, **place)
    note = session.scalars(
        select(Note)
        .where(Note.agent_id == claim.agent_id, Note.kind == "lesson")
        .filter_by(**place)
        .with_for_update()
    ).one()
    if (note.sr_id, note.outcome) == (claim.sr_id, what.outcome):
        return
    note.sr_id, note.outcome = claim.sr_id, what.outcome
    _revise(session, note, what.body[:LESSON_LIMIT], actor, now)
    _record(session, EntryKind.LESSON_LEARNED, note, actor, now, claim.agent_id)


def _ensure_note(
    session: Session, agent_id: str, kind: str, actor: Actor, now: datetime, **values: Any
) -> int | None:
    """Create an empty note unless it exists; returns its number if it is new."""
    return session.scalar(
        insert(Note)
        .values(
            agent_id=agent_id,
            kind=kind,
            body="",
            version=0,
            written_by=str(actor),
            created_at=now,
            updated_at=now,
            **values,
        )
        .on_conflict_do_nothing()
        .returning(Note.note_id)
    )


def _revise(session: Session, note: Note, body: str, actor: Actor, now: datetime) -> None:
    note.body, note.written_by, note.updated_at = body, str(actor), now
    note.version += 1
    session.flush()
    session.add(
        NoteVersion(
            note_id=note.note_id,
            version=note.version,
            body=body,
            active=note.active,
            written_by=str(actor),
            written_at=now,
        )
    )
    session.flush()


# --- people ---------------------------------------------------------------------------------------


@repeat_on_conflict
def add_lesson(board: BoardContext, person: PersonInfo, agent_id: str, body: str) -> int:
    """Add a person's lesson for an agent; returns the note's number."""
    require_permission(person, "note.edit")
    text, now, actor = _text(body), board.clock(), Actor.of(person)
    with board.database.transaction() as session:
        if session.get(Agent, agent_id) is None:
            raise NotFound(what=agent_id)
        note = session.get_one(Note, _ensure_note(session, agent_id, "lesson", actor, now))
        _revise(session, note, text, actor, now)
        _record(session, EntryKind.NOTE_WRITTEN, note, actor, now, person.name)
        return note.note_id


@repeat_on_conflict
def edit(
    board: BoardContext, person: PersonInfo, agent_id: str, note_id: int, *, version: int, body: str
) -> None:
    """Replace a note's text. Raises `Stale` if `version` is not the current one."""
    require_permission(person, "note.edit")
    now = board.clock()
    with board.database.transaction() as session:
        note = _lock_version(session, agent_id, note_id, version)
        text = _text(body, WORKING_MEMORY_LIMIT if note.kind == "working" else LESSON_LIMIT)
        _save_change(session, note, text, EntryKind.NOTE_EDITED, person, now)


@repeat_on_conflict
def set_note_active(
    board: BoardContext,
    person: PersonInfo,
    agent_id: str,
    note_id: int,
    *,
    version: int,
    active: bool,
) -> None:
    """Strike a note out, or restore it."""
    require_permission(person, "note.edit")
    now = board.clock()
    with board.database.transaction() as session:
        note = _lock_version(session, agent_id, note_id, version)
        note.active = active
        kind = EntryKind.NOTE_RESTORED if active else EntryKind.NOTE_STRUCK
        _save_change(session, note, note.body, kind, person, now)


def _lock_version(session: Session, agent_id: str, note_id: int, version: int) -> Note:
    note = session.get(Note, note_id, with_for_update=True)
    if note is None or note.agent_id != agent_id:
        raise NotFound(what=t("notes.note"))
    if note.version != version:
        raise Stale(what=t("notes.note"))
    return note


def _save_change(
    session: Session, note: Note, body: str, kind: EntryKind, person: PersonInfo, now: datetime
) -> None:
    actor = Actor.of(person)
    _revise(session, note, body, actor, now)
    _record(session, kind, note, actor, now, person.name)


def _text(body: str, limit: int = LESSON_LIMIT) -> str:
    text = trim(body, limit)
    if not text:
        raise Missing(what=t("notes.note"))
    return text


def _record(
    session: Session, kind: EntryKind, note: Note, actor: Actor, now: datetime, who: str
) -> None:
    log.append(
        session,
        kind,
        actor=str(actor),
        now=now,
        sr_id=note.sr_id,
        detail={
            "note": note.note_id,
            "agent": note.agent_id,
            "version": note.version,
            "runbook": note.runbook,
            "server": note.server,
            "outcome": note.outcome,
            "body": note.body,
        },
        who=who,
        agent=note.agent_id,
        text=note.body[:_EXCERPT],
    )
