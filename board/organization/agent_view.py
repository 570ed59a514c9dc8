"""Read agents for pages: profile, tasks, runs and notes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import agent_name, display_names_of
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import Issue, Task
from guardia.board.core.run_model import Run
from guardia.board.organization.note_model import Note, NoteVersion
from guardia.errors import NotFound
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Agent

_OPEN = sorted(s.value for s in OPEN_STATES)
_TASKS = 20
_RUNS = 15
_NOTES = 30
_VERSIONS = 50


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One agent in the list."""

    agent_id: str
    title: str
    duty: str
    skills: tuple[str, ...]
    adapter: str | None
    """Kind of external agent; `None` for an internal one."""
    superior: str | None
    state: str
    open_tasks: int
    last_run: datetime | None


@dataclass(frozen=True, slots=True)
class AgentTask:
    """An open task of the agent."""

    sr_id: int
    title: str
    status: State
    server: str | None
    priority: str | None
    held: bool
    """Whether a beat works on it now."""


@dataclass(frozen=True, slots=True)
class RunView:
    """One run of an agent."""

    run_id: int
    reasons: tuple[str, ...]
    outcome: str | None
    steps: int
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class NoteView:
    """One note of the notebook."""

    note_id: int
    kind: str
    sr_id: int | None
    server: str | None
    outcome: str | None
    body: str
    active: bool
    version: int
    author: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NoteList:
    """The newest notes of a kind, and how many there are in all."""

    rows: tuple[NoteView, ...]
    total: int


@dataclass(frozen=True, slots=True)
class AgentPage:
    """Everything that one page shows of an agent."""

    agent: AgentRow
    brain: str
    tasks: tuple[AgentTask, ...]
    runs: tuple[RunView, ...]
    lessons: NoteList
    working: NoteList


@dataclass(frozen=True, slots=True)
class NoteVersionView:
    """A version of a note, with time and author."""

    version: int
    body: str
    active: bool
    author: str
    written_at: datetime


@dataclass(frozen=True, slots=True)
class NotePage:
    """A note with its history, newest first."""

    agent: AgentRow
    note: NoteView
    versions: tuple[NoteVersionView, ...]


def list_agents(board: BoardContext, viewer: PersonInfo) -> tuple[AgentRow, ...]:
    """Return all active and paused agents, in two queries."""
    require_permission(viewer, "agent.read")
    with board.database.reading() as session:
        return _rows(session, None)


def _rows(session: Session, agent_id: str | None) -> tuple[AgentRow, ...]:
    tasks = (
        select(func.count())
        .where(Task.agent_id == Agent.agent_id, Task.status.in_(_OPEN))
        .correlate(Agent)
        .scalar_subquery()
    )
    last = (
        select(Run.started_at)
        .where(Run.agent_id == Agent.agent_id)
        .order_by(Run.run_id.desc())
        .limit(1)
        .correlate(Agent)
        .scalar_subquery()
    )
    query = select(Agent, tasks, last).order_by(Agent.duty != "dispatch", Agent.agent_id)
    chosen = Agent.state != "fired" if agent_id is None else Agent.agent_id == agent_id
    found = session.execute(query.where(chosen)).all()
    names = display_names_of(
        session, [str(Actor.agent(a.reports_to)) for a, _, _ in found if a.reports_to]
    )
    return tuple(
        AgentRow(
            agent.agent_id,
            agent.title,
            agent.duty,
            tuple(agent.skills),
            agent.adapter,
            agent_name(names, agent.reports_to),
            agent.state,
            count,
            started,
        )
        for agent, count, started in found
    )


def _row(session: Session, agent_id: str) -> AgentRow:
    found = _rows(session, agent_id)
    if not found:
        raise NotFound(what=agent_id)
    return found[0]


def agent_page(board: BoardContext, viewer: PersonInfo, agent_id: str) -> AgentPage:
    """Return one agent, even a fired one. Raises `NotFound` if the id was never used."""
    require_permission(viewer, "agent.read")
    with board.database.reading() as session:
        row = _row(session, agent_id)
        brain = session.get_one(Agent, agent_id).spec["brain"]
        return AgentPage(
            agent=row,
            brain=brain["kind"],
            tasks=_tasks(session, agent_id),
            runs=_runs(session, agent_id),
            lessons=_notes(session, agent_id, "lesson"),
            working=_notes(session, agent_id, "working"),
        )


def _tasks(session: Session, agent_id: str) -> tuple[AgentTask, ...]:
    rows = session.execute(
        select(Task, Issue.title, Issue.priority)
        .join(Issue, Issue.sr_id == Task.sr_id)
        .where(Task.agent_id == agent_id, Task.status.in_(_OPEN))
        .order_by(func.coalesce(Issue.priority, "P3"), Task.task_id)
        .limit(_TASKS)
    )
    return tuple(
        AgentTask(
            task.sr_id,
            title,
            State(task.status),
            task.target_server,
            priority,
            task.run_id is not None,
        )
        for task, title, priority in rows
    )


def _runs(session: Session, agent_id: str) -> tuple[RunView, ...]:
    query = select(Run).where(Run.agent_id == agent_id).order_by(Run.run_id.desc()).limit(_RUNS)
    return tuple(
        RunView(r.run_id, tuple(r.reasons), r.outcome, r.steps, r.started_at, r.ended_at)
        for r in session.scalars(query)
    )


def _notes(session: Session, agent_id: str, kind: str) -> NoteList:
    found = session.execute(
        select(Note, func.count().over())
        .where(Note.agent_id == agent_id, Note.kind == kind, Note.version > 0)
        .order_by(Note.updated_at.desc(), Note.note_id.desc())
        .limit(_NOTES)
    ).all()
    rows = [row for row, _ in found]
    names = display_names_of(session, [row.written_by for row in rows])
    return NoteList(tuple(_note_view(row, names) for row in rows), found[0][1] if found else 0)


def _note_view(row: Note, names: dict[str, str]) -> NoteView:
    return NoteView(
        row.note_id,
        row.kind,
        row.sr_id,
        row.server,
        row.outcome,
        row.body,
        row.active,
        row.version,
        names.get(row.written_by, row.written_by),
        row.updated_at,
    )


def note_page(board: BoardContext, viewer: PersonInfo, agent_id: str, note_id: int) -> NotePage:
    """Return a note of this agent with its history. Raises `NotFound` if there is none."""
    require_permission(viewer, "agent.read")
    with board.database.reading() as session:
        agent, row = _row(session, agent_id), session.get(Note, note_id)
        if row is None or row.agent_id != agent_id:
            raise NotFound(what=agent_id)
        query = select(NoteVersion).where(NoteVersion.note_id == note_id)
        newest = query.order_by(NoteVersion.version.desc()).limit(_VERSIONS)
        versions = session.scalars(newest).all()
        names = display_names_of(session, [row.written_by, *(v.written_by for v in versions)])
        return NotePage(
            agent,
            _note_view(row, names),
            tuple(
                NoteVersionView(
                    v.version, v.body, v.active, names.get(v.written_by, v.written_by), v.written_at
                )
                for v in versions
            ),
        )
