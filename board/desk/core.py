"""What all use cases share: moving a task, waking an agent, sending a message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, CursorResult, bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from guardia.board.desk import stalling
from guardia.board.goal_model import Goal
from guardia.board.lifecycle import OPEN, Actor, Move, State, after, overall
from guardia.board.model import Issue, Outgoing, Task
from guardia.board.planner import Planner
from guardia.board.reasons import CAN_WAIT, URGENT, Reason
from guardia.board.run_model import Wake
from guardia.board.seal import Seal
from guardia.db import jobs
from guardia.db.engine import Database
from guardia.errors import IllegalMove, NotFound, Stale
from guardia.i18n import t
from guardia.org import registry
from guardia.org.heartbeats import Heartbeat
from guardia.org.model import Agent

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

    planner: Planner | None = None
    """Makes what people plan concrete; ``None`` where this process takes no such orders."""

    def attest(self) -> None:
        """Sign the record as it stands, before something privileged; never in a transaction.

        ``Refused`` where it was rewritten since the last checkpoint: nothing is built on that.
        What stops work does not wait for this, nor fail by it: see ``seal_soon``.
        """
        if self.notary is not None:
            self.notary.seal(self)


@dataclass(frozen=True, slots=True)
class Hold:
    """An agent's claim on a task; worth something only while the task's fence is still this."""

    task_id: int
    sr_id: int
    agent_id: str
    run_id: int
    fence: int


@dataclass(frozen=True, slots=True)
class GoalHold:
    """An agent's claim on a goal; worth something only while its fence is still this."""

    sr_id: int
    agent_id: str
    run_id: int
    fence: int

    @property
    def task_id(self) -> None:
        """A goal has no task."""
        return None


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


# Made once: composing them takes longer than running them.
_ISSUE = bindparam("issue", type_=BigInteger())
_TASK = (
    select(Task)
    .where(Task.task_id == bindparam("task", type_=BigInteger()))
    .with_for_update(key_share=True)
)
_GOAL = select(Issue.goal_id).where(Issue.sr_id == _ISSUE).with_for_update(key_share=True)
_STOPPED = select(func.kill_switch_is_on())
_STATES = select(Task.status).where(Task.sr_id == _ISSUE).order_by(Task.task_id)


def stopped(session: Session) -> bool:
    """Whether the kill switch is on; nobody can turn it until this transaction ends.

    Call it before a task is locked: whoever turns the switch locks in that order too.
    """
    return bool(session.scalar(_STOPPED))


def task_of(session: Session, task_id: int) -> Task:
    """A task, locked for this transaction; ``NotFound`` else.

    Rows that merely refer to it (evidence, directives) can still be written: otherwise two who
    lock task and issue in different orders would wait for each other.
    """
    task: Task | None = session.scalar(_TASK, {"task": task_id})
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


def held_goal(session: Session, hold: GoalHold) -> Goal:
    """The goal of a hold, locked; ``Stale`` where someone has claimed or decided since."""
    query = select(Goal).where(Goal.sr_id == hold.sr_id)
    goal = session.scalar(query.with_for_update(key_share=True))
    if goal is None or (goal.fence, goal.run_id) != (hold.fence, hold.run_id):
        raise Stale(what=f"SR-{hold.sr_id}")
    return goal


def stands(session: Session, hold: Hold | GoalHold) -> None:
    """``Stale`` unless the hold is still worth something, until this transaction ends."""
    if isinstance(hold, GoalHold):
        held_goal(session, hold)
    else:
        held(session, hold)


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
    goal = session.scalar(_GOAL, {"issue": sr_id})
    states = session.scalars(_STATES, {"issue": sr_id}).all()
    state = overall(State(s) for s in states)
    session.execute(
        update(Issue).where(Issue.sr_id == sr_id).values(status=state.value, updated_at=now)
    )
    if goal is not None and state not in OPEN and (head := registry.dispatcher(session)):
        # It looks whether the goal is reached. The goal's own issue is not named: its row would be
        # locked, and issues of one goal must never wait for one another.
        wake(session, head, Reason.GOAL, now, cause={"goal": goal, "ended": sr_id})


_WAKE = insert(Wake)


def wake(
    session: Session,
    agent_id: str,
    reason: Reason | str,
    now: datetime,
    sr_id: int | None = None,
    *,
    cause: dict[str, Any] | None = None,
    by: str = "",
) -> bool:
    """Give an agent a reason to wake, from the moment this transaction commits.

    ``cause`` names the delta, ``by`` the actor behind it. ``False`` where it is not woken: an
    agent's own writes never wake it, and an issue whose agents go round in circles wakes nobody
    until a person acts on it. What can wait waits through the agent's quiet hours.
    """
    reason = Reason(reason)
    if by == f"agent:{agent_id}":
        return False
    if sr_id is not None and not may_wake(session, agent_id, reason, now, sr_id, by):
        return False
    row = {"agent_id": agent_id, "reason": reason.value, "sr_id": sr_id, "cause": cause or {}}
    session.execute(_WAKE, {**row, "created_at": now})
    if not _waits(session, agent_id, reason, now, sr_id, by):
        jobs.defer(session, "beat", lock=f"agent:{agent_id}", agent_id=agent_id)
    return True


def may_wake(
    session: Session, agent_id: str, reason: Reason, now: datetime, sr_id: int, by: str = ""
) -> bool:
    """Whether an issue may wake an agent once more; marks it as stalled where it may not.

    What people say may always.
    """
    if reason is Reason.ORDER:
        # Outranks everything, and the kill switch must wait for no budget's row.
        return True
    if stalling.by_people(by):
        return True
    if stalling.spend(session, sr_id, reason, now):
        return True
    stall(session, agent_id, reason, now, sr_id)
    return False


def stall(session: Session, agent_id: str, reason: Reason, now: datetime, sr_id: int) -> None:
    """Mark an issue as stalled, and tell people; once."""
    if stalling.mark(session, sr_id, reason, now):
        issue = issue_of(session, sr_id)
        text = t("desk.stalled", sr=sr_id, reason=t(f"wake.reason.{reason}"))
        reply(session, issue, text, now)
        send(session, "alert", text, now, sr_id=sr_id)
        stalling.record(session, sr_id, reason, agent_id, now)


def _waits(
    session: Session, agent_id: str, reason: Reason, now: datetime, sr_id: int | None, by: str
) -> bool:
    """Whether quiet hours hold it back; the clock wakes the agent at their end."""
    if reason not in CAN_WAIT or by.startswith("person:"):
        return False
    spec = session.scalar(select(Agent.spec["heartbeat"]).where(Agent.agent_id == agent_id))
    if not spec or Heartbeat.model_validate(spec).quiet_until(now) is None:
        return False
    if sr_id is None:
        return True
    # What nobody has judged yet may be urgent.
    priority = session.scalar(select(Issue.priority).where(Issue.sr_id == sr_id))
    return priority not in (None, URGENT)


def send(
    session: Session, kind: str, text: str, now: datetime, *, room: str = "", sr_id: int | None
) -> None:
    """Put a message (to a room) or an alert into the outbox."""
    row = Outgoing(kind=kind, room=room, sr_id=sr_id, text=text, created_at=now)
    session.add(row)
    session.flush()
    jobs.defer(session, "deliver", outbox_id=row.outbox_id)


def seal_soon(session: Session) -> None:
    """Have a worker sign the record once this transaction commits, whatever comes of that.

    For orders that stop something: they take effect at once, and the checkpoint after them covers
    all that was before. A signing that fails has raised its own alert.
    """
    jobs.defer(session, "seal", lock="seal")


def reply(session: Session, issue: Issue, text: str, now: datetime) -> None:
    """Tell the room where an issue came from; nothing where it came from no room."""
    if issue.room:
        send(session, "message", text, now, room=issue.room, sr_id=issue.sr_id)
