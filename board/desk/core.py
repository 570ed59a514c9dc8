"""What all use cases share: moving a task, waking an agent, sending a message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import CursorResult, func, select, update
from sqlalchemy.orm import Session

from guardia.board.lifecycle import Actor, Move, State, after, overall
from guardia.board.model import Issue, Outgoing, Task, Wake
from guardia.board.seal import Seal
from guardia.db import jobs
from guardia.db.engine import Database
from guardia.errors import IllegalMove, NotFound, Stale

if TYPE_CHECKING:
    from guardia.board.desk.checkpoints import Notary


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where use cases find the database, the clock and the record's notary."""

    database: Database
    clock: Callable[[], datetime] = utc_now
    seal: Seal = field(default_factory=Seal.passing)
    """Signs people's decisions; the product gives the installation's own."""
    notary: Notary | None = None
    """Signs checkpoints; ``None`` where this process carries nothing out."""


@dataclass(frozen=True, slots=True)
class Hold:
    """An agent's claim on a task; worth something only while the task's fence is still this."""

    task_id: int
    sr_id: int
    agent_id: str
    run_id: int
    fence: int


@dataclass(frozen=True, slots=True)
class Grant:
    """Permission to run exactly one plan, or reads only where ``plan_hash`` is ``None``.

    Only the desk makes grants, and every use is checked against the tables again, so a grant
    made elsewhere opens nothing.
    """

    hold: Hold
    server_id: str
    category: str
    plan_hash: str | None
    order: int | None = None
    """The person's directive that this grant obeys: it undoes and reads, also under the switch."""


def stopped(session: Session) -> bool:
    """Whether the kill switch is on; nobody can turn it until this transaction ends.

    Call it before a task is locked: whoever turns the switch locks in that order too.
    """
    return bool(session.scalar(select(func.kill_switch_is_on())))


def task_of(session: Session, task_id: int) -> Task:
    """A task, locked for this transaction; ``NotFound`` else.

    Rows that merely refer to it (evidence, directives) can still be written: otherwise two who
    lock task and issue in different orders would wait for each other.
    """
    query = select(Task).where(Task.task_id == task_id)
    task = session.scalar(query.with_for_update(key_share=True))
    if task is None:
        raise NotFound(what=f"task {task_id}")
    return task


def issue_of(session: Session, sr_id: int) -> Issue:
    """An issue; ``NotFound`` else."""
    issue = session.get(Issue, sr_id)
    if issue is None:
        raise NotFound(what=f"SR-{sr_id}")
    return issue


def held(session: Session, hold: Hold) -> Task:
    """The task of a hold, locked; ``Stale`` where someone has claimed or decided since."""
    task = task_of(session, hold.task_id)
    if (task.fence, task.run_id) != (hold.fence, hold.run_id):
        raise Stale(what=f"SR-{hold.sr_id}")
    return task


def move(
    session: Session, task: Task, step: Move, *, actor: Actor, now: datetime, **values: Any
) -> State:
    """Compare-and-set a task's state along the lifecycle, and its issue's after it."""
    state = State(task.status)
    following = after(state, step, actor)
    if following is None:
        raise IllegalMove(state=state.value, move=step.value)
    changed = session.execute(
        update(Task)
        .where(Task.task_id == task.task_id, Task.status == state, Task.fence == task.fence)
        .values(status=following.value, updated_at=now, **values)
        .execution_options(synchronize_session="evaluate")
    )
    assert isinstance(changed, CursorResult)
    if changed.rowcount != 1:
        raise Stale(what=f"SR-{task.sr_id}")
    settle(session, task.sr_id, now)
    return following


def settle(session: Session, sr_id: int, now: datetime) -> None:
    """Set an issue's state from those of its tasks."""
    # Whoever moves another task of it meanwhile waits here, and then sees this one moved.
    session.execute(select(Issue.sr_id).where(Issue.sr_id == sr_id).with_for_update(key_share=True))
    states = session.scalars(
        select(Task.status).where(Task.sr_id == sr_id).order_by(Task.task_id)
    ).all()
    session.execute(
        update(Issue)
        .where(Issue.sr_id == sr_id)
        .values(status=overall(State(s) for s in states).value, updated_at=now)
    )


def wake(
    session: Session, agent_id: str, reason: str, now: datetime, sr_id: int | None = None
) -> None:
    """Give an agent a reason to wake, from the moment this transaction commits."""
    session.add(Wake(agent_id=agent_id, reason=reason, sr_id=sr_id, created_at=now))
    session.flush()
    jobs.defer(session, "beat", lock=f"agent:{agent_id}", agent_id=agent_id)


def send(
    session: Session, kind: str, text: str, now: datetime, *, room: str = "", sr_id: int | None
) -> None:
    """Put a message (to a room) or an alert into the outbox."""
    row = Outgoing(kind=kind, room=room, sr_id=sr_id, text=text, created_at=now)
    session.add(row)
    session.flush()
    jobs.defer(session, "deliver", outbox_id=row.outbox_id)


def reply(session: Session, issue: Issue, text: str, now: datetime) -> None:
    """Tell the room where an issue came from; nothing where it came from no room."""
    if issue.room:
        send(session, "message", text, now, room=issue.room, sr_id=issue.sr_id)
