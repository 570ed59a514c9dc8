"""Beats: take an agent's wakes, find and claim work, end the run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Select,
    all_,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.core.claims import Claim
from guardia.board.core.context import BoardContext
from guardia.board.core.kill_switch import kill_switch_is_on
from guardia.board.core.lookup import lock_tasks
from guardia.board.core.model import Task
from guardia.board.core.run_model import Run
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import stall_issue, wake
from guardia.board.costs import daily_totals
from guardia.board.runs import claiming, due_work, mention_replies, worker_crashes
from guardia.board.runs.claiming import AGENT
from guardia.db import events, jobs
from guardia.db.engine import driver_connection, repeat_on_conflict
from guardia.db.entities import write
from guardia.db.jobs import JobAttempt
from guardia.db.statement import Statement
from guardia.org.chart_model import AgentEntry, parse_entry
from guardia.org.model import Agent, OrgRevision

BEAT = "beat"
"""Kind of the event that an agent started or ended work. It is not in the audit log."""
_ACTIVE = Statement(select(Agent.agent_id).where(Agent.agent_id == AGENT, Agent.state == "active"))
_CAUSES = 50
"""Maximum number of causes stored with a run; later ones add no information."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """A beat that has started."""

    run_id: int
    agent_id: str
    reasons: tuple[str, ...]
    issues: tuple[int, ...]
    """Issues that the reasons name, each once, in order."""
    spec: dict[str, Any]
    has_work: bool = True
    """Whether work is waiting; if not, the run has already ended."""
    has_rollback: bool = True
    """Whether people have issued a directive to undo some of its work."""
    has_checks: bool = False
    """Whether people have written plans whose pre-checks it has to run."""

    @property
    def entry(self) -> AgentEntry:
        """Return the agent's chart entry when the beat began; changes apply to the next beat."""
        return parse_entry(self.spec)


class _Taken(NamedTuple):
    """A wake reason that this beat has taken."""

    wake_id: int
    reason: str
    sr_id: int | None
    cause: dict[str, Any]


class _AgentAtStart(NamedTuple):
    """What a beat has to know of its agent, in one look."""

    state: str
    spec: dict[str, Any]
    revision: int | None
    unfinished: bool
    has_work: bool
    has_rollback: bool
    has_checks: bool


def _select_agent() -> Select[Any]:
    unfinished = select(Run.run_id).where(Run.agent_id == Agent.agent_id, Run.ended_at.is_(None))
    revision = select(func.max(OrgRevision.revision)).scalar_subquery()
    return select(
        Agent.state,
        Agent.spec,
        revision.label("revision"),
        unfinished.exists().label("unfinished"),
        due_work.has_work().label("has_work"),
        due_work.has_rollback().label("has_rollback"),
        due_work.has_checks().label("has_checks"),
    ).where(Agent.agent_id == AGENT)


# The attempt is checked, and kept, before any reason is taken.
_TAKE = f"""
    with current as materialized ({jobs.CURRENT}), taken as (
        delete from tb_wake
        where agent_id = %(agent)s and (reason = '{WakeReason.ORDER.value}'
                or exists (select from tb_agent where agent_id = %(agent)s and state = 'active'))
            and (%(job)s::bigint is null or exists (select from current))
        returning wake_id, reason, sr_id, cause
    )
    select (select count(*) from current), taken.* from (values (1)) as one
    left join taken on true order by wake_id
"""
_IS_OVER = f"""
    select {jobs.LOST_WAIT} or not exists (select from tb_wake where agent_id = %(agent)s)
"""
# Built once: composing the statements takes longer than running them.
_SELECT_AGENT = Statement(_select_agent())
_UNFINISHED = Statement(
    select(Run.run_id).where(Run.agent_id == AGENT, Run.ended_at.is_(None)).limit(1)
)
_RUNS: Any = Run.__table__
_RUN = Statement(
    insert(_RUNS)
    .values(
        {
            name: bindparam(name)
            for name in (
                "agent_id",
                "reasons",
                "causes",
                "revision",
                "started_at",
                "ended_at",
                "outcome",
            )
        }
    )
    .returning(_RUNS.c.run_id)
)
_TASKS: Any = Task.__table__
_IS_CURRENT = Statement(
    select(Run.ended_at.is_(None)).where(Run.run_id == bindparam("run")).with_for_update(read=True)
)
_HELD = (
    select(_TASKS.c.task_id)
    .where(
        _TASKS.c.run_id == bindparam("run"),
        _TASKS.c.task_id != all_(bindparam("kept", type_=ARRAY(BigInteger))),
    )
    .order_by(_TASKS.c.task_id)
    .with_for_update(key_share=True)
)
_RELEASE = Statement(update(_TASKS).where(_TASKS.c.task_id.in_(_HELD)).values(run_id=None))
_END = Statement(
    update(_RUNS)
    .where(_RUNS.c.run_id == bindparam("run"), _RUNS.c.ended_at.is_(None))
    .values({name: bindparam(name) for name in ("outcome", "task_id", "steps", "ended_at")})
    .returning(_RUNS.c.started_at)
)


@repeat_on_conflict
def begin(
    board: BoardContext, agent_id: str, attempt: JobAttempt | None = None
) -> RunContext | None:
    """Start a beat with all waiting reasons of an agent. Returns `None` if there are none.

    One beat takes all reasons, however many wait. A paused agent keeps them, and starts only for
    rollbacks that people have directed. The queue runs an agent's beats on one worker at a time
    (`attempt`), so an unfinished run has died with its worker: it is closed as lost, and its
    reasons are taken again. Also returns `None` for a worker that lost its turn because it was
    suspended and declared dead. A beat without work ends here, after replying to people who
    mention the agent.
    """
    now = board.clock()
    with board.database.transaction() as session:
        # Reasons first, then the check for work: work added in between brings its own reason.
        taken = _take(session, agent_id, attempt)
        if taken is None:
            return None
        if not taken and not _UNFINISHED.first(session, {"agent": agent_id}):
            return None
        agent = _read_agent(session, agent_id, now)
        if agent is None or agent.state == "fired":
            return None
        if agent.state == "paused" and not agent.has_rollback:
            return None
        lost = _close_lost(session, agent_id, now) if agent.unfinished else []
        causes = [*lost, *(_cause(w) for w in taken)]
        reasons = tuple(dict.fromkeys(str(c["reason"]) for c in causes))
        has_work = bool(agent.has_work or lost)
        run = {
            "agent_id": agent_id,
            "reasons": list(reasons),
            "causes": causes[:_CAUSES],
            "revision": agent.revision,
            "started_at": now,
            "ended_at": None if has_work else now,
            "outcome": None if has_work else "idle",
        }
        run_id = _RUN.first(session, run)
        if has_work:
            events.announce(session, kind=BEAT, agent=agent_id)
        # The auditor's reply is its verification of the audit log.
        replied = agent.spec["duty"] != "audit" and mention_replies.reply_to_mentions(
            session, agent_id, taken, now
        )
        if replied and not has_work:
            session.execute(update(Run).where(Run.run_id == run_id).values(outcome="answered"))
        issues = tuple(dict.fromkeys(c["issue"] for c in causes if "issue" in c))
        has_rollback = bool(agent.has_rollback or lost)
        has_checks = bool(agent.has_checks or lost)
        return RunContext(
            run_id, agent_id, reasons, issues, agent.spec, has_work, has_rollback, has_checks
        )


def _take(session: Session, agent_id: str, attempt: JobAttempt | None) -> list[_Taken] | None:
    """Take an agent's waiting reasons, oldest first; `None` if the attempt was lost."""
    job, number = (attempt.job_id, attempt.number) if attempt else (None, None)
    values = {"agent": agent_id, "job": job, "number": number}
    rows = driver_connection(session).execute(_TAKE, values).fetchall()
    if attempt is not None and not rows[0][0]:
        return None
    return [_Taken(*row[1:]) for row in rows if row[1] is not None]


def _read_agent(session: Session, agent_id: str, now: datetime) -> _AgentAtStart | None:
    row = _SELECT_AGENT.run(session, {"agent": agent_id, "now": now}).fetchone()
    return None if row is None else _AgentAtStart(*row)


def _cause(row: Any) -> dict[str, Any]:
    issue = {} if row.sr_id is None else {"issue": row.sr_id}
    return {"reason": row.reason, **issue, **row.cause}


def _close_lost(session: Session, agent_id: str, now: datetime) -> list[dict[str, Any]]:
    """Close dead runs and release their tasks; returns the recovery and their own causes."""
    runs = session.execute(
        update(Run)
        .where(Run.agent_id == agent_id, Run.ended_at.is_(None))
        .values(outcome="lost", ended_at=now)
        .returning(Run.run_id, Run.causes, Run.started_at)
    ).all()
    for run in runs:
        _release_lost(session, agent_id, run, now)
    again = [{"reason": WakeReason.RECOVERY.value, "run": r.run_id} for r in runs]
    return again + [cause for r in runs for cause in r.causes if cause not in again]


def _release_lost(session: Session, agent_id: str, run: Any, now: datetime) -> None:
    """Release a lost run's tasks, to be claimed first; stall those that lost too many workers."""
    lock_tasks(session, Task.run_id == run.run_id)
    held = update(Task).where(Task.run_id == run.run_id).values(run_id=None, lost_at=now)
    found = session.execute(held.returning(Task.task_id, Task.sr_id))
    tasks = {row.task_id: row.sr_id for row in found}
    for task_id in worker_crashes.record_lost_run(
        session, run.run_id, run.started_at, list(tasks), now
    ):
        stall_issue(session, agent_id, WakeReason.RECOVERY, now, tasks[task_id])


def is_current(session: Session, run_context: RunContext) -> bool:
    """Return whether a beat has not been closed as lost; locks it until the transaction ends."""
    return bool(_IS_CURRENT.first(session, {"run": run_context.run_id}))


def is_active(session: Session, run_context: RunContext) -> bool:
    """Return whether the agent may start something: it has not been paused since the beat began."""
    return _ACTIVE.first(session, {"agent": run_context.agent_id}) is not None


@repeat_on_conflict
def claim_task(
    board: BoardContext,
    run_context: RunContext,
    done: frozenset[int] = frozenset(),
    beside: frozenset[int] = frozenset(),
) -> Claim | None:
    """Claim the agent's next task atomically (see `claiming`). Returns `None` if there is none.

    The beat keeps its claims on the tasks `beside`, which still run.

    The claim increments the fencing token, so an earlier claim can write no more. Nothing is
    claimed while the kill switch is on or the agent is paused; paused tasks, tasks to be rolled
    back and stalled issues are skipped.
    """
    parameters = {"agent": run_context.agent_id, "now": board.clock(), "done": list(done)}
    while True:
        with board.database.transaction() as session:
            if (
                kill_switch_is_on(session)
                or not is_current(session, run_context)
                or not is_active(session, run_context)
            ):
                return None
            if release_tasks(session, run_context, beside):
                # Commit first: of two tasks, the second could have the smaller id.
                continue
            task = claiming.next_task(session, parameters)
            if task is None:
                return None
            fence, run_id = task.fence + 1, run_context.run_id
            write(session, task, fence=fence, run_id=run_id, lost_at=None)
            return Claim(
                task.task_id, task.sr_id, run_context.agent_id, run_context.run_id, task.fence
            )


def release_tasks(
    session: Session, run_context: RunContext, kept: frozenset[int] = frozenset()
) -> bool:
    """Release a beat's tasks, which wait or have ended, except those that still run.

    Returns whether it had any.
    """
    return _RELEASE.run(session, {"run": run_context.run_id, "kept": list(kept)}).rowcount > 0


@repeat_on_conflict
def end(
    board: BoardContext, run_context: RunContext, outcome: str, *, task_id: int | None, steps: int
) -> None:
    """End a beat and release its tasks; a run closed as lost stays so."""
    now = board.clock()
    with board.database.transaction() as session:
        ended = {"outcome": outcome, "task_id": task_id, "steps": steps, "ended_at": now}
        begun = _END.first(session, {"run": run_context.run_id, **ended})
        release_tasks(session, run_context)
        events.announce(session, kind=BEAT, agent=run_context.agent_id)
        if task_id is not None and begun is not None:
            # Runs that found no work cost nothing.
            daily_totals.add_run(session, run_context.agent_id, task_id, begun, now)


@repeat_on_conflict
def requeue(board: BoardContext, agent_id: str) -> None:
    """Wake the agent again so that another worker continues: this one is shutting down."""
    with board.database.transaction() as session:
        wake(session, agent_id, WakeReason.RECOVERY, board.clock())


@repeat_on_conflict
def requeue_lost_jobs(board: BoardContext, seconds: float) -> list[str]:
    """Requeue the jobs of dead workers; returns the kinds of those jobs. See `db.jobs`."""
    with board.database.transaction() as session:
        lost = jobs.requeue_lost(session, seconds)
        agents_by_worker: dict[int, set[str]] = {}
        for job in lost:
            if job.worker is not None and job.agent is not None:
                agents_by_worker.setdefault(job.worker, set()).add(job.agent)
        worker_crashes.record_worker_crashes(session, agents_by_worker.values(), board.clock())
        return [job.kind for job in lost]


def has_lost_jobs(board: BoardContext) -> bool:
    """Return whether jobs of dead workers wait for a free worker."""
    return bool(board.database.glance(f"select {jobs.LOST_WAIT}", {})[0])


def is_over(board: BoardContext, agent_id: str) -> bool:
    """Return whether an agent's job may end: no reason is left, or lost jobs come first."""
    return bool(board.database.glance(_IS_OVER, {"agent": agent_id})[0])
