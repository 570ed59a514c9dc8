"""The agents' notebooks: read on waking, written with the hold, handed over, edited by people.

A note is data, for people and models: bounded and cleaned, and never a permission.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.chain import clean
from guardia.board.core.claims import Hold, held
from guardia.board.core.context import Desk
from guardia.board.core.model import Task
from guardia.board.organization.note_model import Note, NoteVersion
from guardia.errors import Missing, NotFound, Stale
from guardia.i18n import t
from guardia.org.access import require
from guardia.org.directory import PersonName
from guardia.org.model import Agent

WORKING = 4_000
"""Characters of one issue's working memory; the oldest lines go first."""
LESSON = 1_000
LESSONS = 12
"""Lessons that a waking brings."""
_EXCERPT = 300


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a procedure came to on a server, or what a person wants the agent to know."""

    note_id: int
    body: str
    sr_id: int | None = None
    server: str | None = None
    runbook: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Notebook:
    """What an agent remembers when it wakes for a task."""

    working: str = ""
    lessons: tuple[Lesson, ...] = ()


@dataclass(frozen=True, slots=True)
class Experience:
    """How a procedure ended, in the agent's words."""

    runbook: str
    outcome: str
    """``worked``, ``failed`` (undone), ``unfit`` (no rule of it held)."""
    body: str


def recall(desk: Desk, hold: Hold) -> Notebook:
    """The working memory of the held issue; the newest lessons of its server, and general ones."""
    with desk.database.reading() as session:
        working = session.scalar(_working(hold.agent_id, hold.sr_id).where(Note.active))
        server = session.scalar(select(Task.target_server).where(Task.task_id == hold.task_id))
        found = session.scalars(
            select(Note)
            .where(
                Note.agent_id == hold.agent_id,
                Note.kind == "lesson",
                Note.active,
                or_(Note.server == server, Note.server.is_(None)),
            )
            .order_by(Note.updated_at.desc(), Note.note_id.desc())
            .limit(LESSONS)
        )
        lessons = tuple(
            Lesson(n.note_id, n.body, n.sr_id, n.server, n.runbook, n.outcome) for n in found
        )
        return Notebook(working.body if working else "", lessons)


def write(desk: Desk, hold: Hold, text: str, learned: Sequence[Experience] = ()) -> None:
    """Add to the working memory of the held issue, and keep what was learned: before sleeping.

    ``Stale`` where the hold is overtaken. Written twice, the same line stands once.
    """
    now, actor = desk.clock(), f"agent:{hold.agent_id}"
    with desk.database.transaction() as session:
        server = held(session, hold).target_server
        _remember(session, hold.agent_id, hold.sr_id, text, actor, now)
        for experience in learned:
            _learn(session, hold, server, experience, now)


def pass_on(
    session: Session, sr_id: int, before: str | None, to: str, by: str, text: str, now: datetime
) -> None:
    """Hand an issue over with a note: what the one before knew, and why it changes hands."""
    known = session.scalar(_working(before, sr_id)) if before else None
    parts = [known.body] if known is not None else []
    _remember(session, to, sr_id, "\n".join([*parts, text]), by, now)


def _working(agent_id: str, sr_id: int) -> Select[Note]:
    return select(Note).where(
        Note.agent_id == agent_id, Note.kind == "working", Note.sr_id == sr_id
    )


def _remember(
    session: Session, agent_id: str, sr_id: int, text: str, actor: str, now: datetime
) -> None:
    _open(session, agent_id, "working", actor, now, sr_id=sr_id)
    note = session.scalars(_working(agent_id, sr_id).with_for_update()).one()
    known = note.body.splitlines()
    new = [line for line in clean(text).splitlines() if line.strip() and line not in known]
    if new:
        _revise(session, note, "\n".join([*known, *new])[-WORKING:], actor, now)


def _learn(
    session: Session, hold: Hold, server: str | None, what: Experience, now: datetime
) -> None:
    if server is None:
        return
    actor, place = f"agent:{hold.agent_id}", {"server": server, "runbook": what.runbook}
    _open(session, hold.agent_id, "lesson", actor, now, **place)
    note = session.scalars(
        select(Note)
        .where(Note.agent_id == hold.agent_id, Note.kind == "lesson")
        .filter_by(**place)
        .with_for_update()
    ).one()
    if (note.sr_id, note.outcome) == (hold.sr_id, what.outcome):
        return
    note.sr_id, note.outcome = hold.sr_id, what.outcome
    _revise(session, note, clean(what.body)[:LESSON], actor, now)
    _record(session, "lesson_learned", note, actor, now, hold.agent_id)


def _open(
    session: Session, agent_id: str, kind: str, actor: str, now: datetime, **values: Any
) -> int | None:
    """An empty page where there is none yet; its number where it is new."""
    return session.scalar(
        insert(Note)
        .values(
            agent_id=agent_id,
            kind=kind,
            body="",
            version=0,
            written_by=actor,
            created_at=now,
            updated_at=now,
            **values,
        )
        .on_conflict_do_nothing()
        .returning(Note.note_id)
    )


def _revise(session: Session, note: Note, body: str, actor: str, now: datetime) -> None:
    note.body, note.written_by, note.updated_at = body, actor, now
    note.version += 1
    session.flush()
    session.add(
        NoteVersion(
            note_id=note.note_id,
            version=note.version,
            body=body,
            active=note.active,
            written_by=actor,
            written_at=now,
        )
    )
    session.flush()


# --- people ---------------------------------------------------------------------------------------


def teach(desk: Desk, person: PersonName, agent_id: str, body: str) -> int:
    """A person writes a lesson for an agent; the note's number."""
    require(person, "note.edit")
    text, now, actor = _text(body), desk.clock(), f"person:{person.id}"
    with desk.database.transaction() as session:
        if session.get(Agent, agent_id) is None:
            raise NotFound(what=agent_id)
        note = session.get_one(Note, _open(session, agent_id, "lesson", actor, now))
        _revise(session, note, text, actor, now)
        _record(session, "note_written", note, actor, now, person.name)
        return note.note_id


def edit(
    desk: Desk, person: PersonName, agent_id: str, note_id: int, *, version: int, body: str
) -> None:
    """Change what a note says; ``Stale`` where it is another version than the one that was seen."""
    require(person, "note.edit")
    now = desk.clock()
    with desk.database.transaction() as session:
        note = _seen(session, agent_id, note_id, version)
        text = _text(body, WORKING if note.kind == "working" else LESSON)
        _change(session, note, text, "note_edited", person, now)


def strike(
    desk: Desk, person: PersonName, agent_id: str, note_id: int, *, version: int, active: bool
) -> None:
    """Take a note out of use, or back into it."""
    require(person, "note.edit")
    now = desk.clock()
    with desk.database.transaction() as session:
        note = _seen(session, agent_id, note_id, version)
        note.active = active
        kind = "note_restored" if active else "note_struck"
        _change(session, note, note.body, kind, person, now)


def _seen(session: Session, agent_id: str, note_id: int, version: int) -> Note:
    note = session.get(Note, note_id, with_for_update=True)
    if note is None or note.agent_id != agent_id:
        raise NotFound(what=t("notes.note"))
    if note.version != version:
        raise Stale(what=t("notes.note"))
    return note


def _change(
    session: Session, note: Note, body: str, kind: str, person: PersonName, now: datetime
) -> None:
    actor = f"person:{person.id}"
    _revise(session, note, body, actor, now)
    _record(session, kind, note, actor, now, person.name)


def _text(body: str, limit: int = LESSON) -> str:
    text: str = clean(body).strip()[:limit]
    if not text:
        raise Missing(what=t("notes.note"))
    return text


def _record(session: Session, kind: str, note: Note, actor: str, now: datetime, who: str) -> None:
    log.append(
        session,
        kind,
        actor=actor,
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
