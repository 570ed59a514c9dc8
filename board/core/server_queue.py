"""One change per server at a time: approved tasks queue for their server. Reads are free.

A task holds its server while it is IN_PROGRESS with actions, or is being rolled back. That follows
from the tables, so a crash leaves no lock behind; only who waits for whom is stored. The lock of a
server is taken after a task's row and before its issue's row.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, DateTime, Text, text
from sqlalchemy.orm import Session

from guardia.board.core.model import Task
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.db.statement import Statement

_TASK, _SERVER, _NOW = BigInteger(), Text(), DateTime(timezone=True)
_LOCK = Statement.of("select pg_advisory_xact_lock(7127052, hashtext(:server))", server=_SERVER)
_HOLDS = """
    (holder.status = 'IN_PROGRESS' and jsonb_array_length(holder.plan -> 'actions') > 0
     or exists (select from tb_directive d
                 where d.task_id = holder.task_id and d.state = 'UNDOING'))
"""
# An earlier task in the queue goes first as long as its agent can start it now.
_LEADS = """
    (first.holder_id is null and first.overridden_by is null
     and holder.status = 'APPROVED' and not holder.paused
     and (holder.run_after is null or holder.run_after <= :now)
     and exists (select from tb_agent a where a.agent_id = holder.agent_id and a.state = 'active')
     and not exists (select from tb_sr_request s
                      where s.sr_id = holder.sr_id and s.stalled_at is not null))
"""
# One statement for each use: a start and an end of work pay for a lock and one look.
_LOOK = Statement.of(
    f"""
    select own.overridden_by, own.task_id is not null as waits, own.holder_id as before,
        (select holder.task_id from tb_ops_task holder
          where holder.target_server = :server and holder.task_id <> :task and {_HOLDS}
          order by holder.task_id limit 1) as holder,
        (select holder.task_id from tb_server_wait first join tb_ops_task holder using (task_id)
          where first.server_id = :server and first.task_id <> :task and {_LEADS}
            and (first.since, first.task_id) < (coalesce(own.since, :now), :task)
          order by first.since, first.task_id limit 1) as leader
      from (select 1) one left join tb_server_wait own on own.task_id = :task
""",
    server=_SERVER,
    task=_TASK,
    now=_NOW,
)
_WAIT = Statement.of(
    """
    insert into tb_server_wait (task_id, server_id, holder_id, since)
    values (:task, :server, :holder, :now)
    on conflict (task_id) do update set holder_id = excluded.holder_id
""",
    task=_TASK,
    server=_SERVER,
    holder=_TASK,
    now=_NOW,
)
_FORGET = Statement.of("delete from tb_server_wait where task_id = :task", task=_TASK)
_RELEASE = Statement.of(
    """
    with gone as (
        delete from tb_server_wait where task_id = :task and not :keeps
    ), freed as (
        update tb_server_wait set holder_id = null where holder_id = :task
        returning task_id, since
    )
    select t.agent_id, false as rolls_back, min(freed.since) as since
      from freed join tb_ops_task t using (task_id)
     where t.status = 'APPROVED' and t.agent_id is not null group by t.agent_id
    union all
    select t.agent_id, true, min(d.ordered_at)
      from tb_directive d join tb_ops_task t using (task_id)
     where d.state = 'UNDOING' and t.target_server = :server and t.task_id <> :task
       and t.agent_id is not null group by t.agent_id
     order by 3, 1
""",
    task=_TASK,
    server=_SERVER,
    keeps=Boolean(),
)
_STUCK = text(f"""
    select wait.holder_id, wait.server_id from tb_server_wait wait
     where wait.holder_id is not null and not exists (
         select from tb_ops_task holder
           left join tb_server_wait first on first.task_id = holder.task_id
          where holder.task_id = wait.holder_id
            and ({_HOLDS} or {_LEADS} or first.holder_id is not null))
""")


def lock_server(session: Session, server: str | None) -> None:
    """Serialize what decides who changes a server, until this transaction ends."""
    if server is not None:
        _LOCK.run(session, {"server": server})


def enter(session: Session, task: Task, now: datetime) -> tuple[int | None, int | None]:
    """Let an approved task start its change, or put it into the queue of its server.

    Returns the task that it waits for, or `None` if it may start now, and the one that it waited
    for before.
    """
    lock_server(session, task.target_server)
    words = {"server": task.target_server, "task": task.task_id, "now": now}
    found = _LOOK.run(session, words).fetchone()
    assert found is not None
    overridden_by, waits, before, holder, leader = found
    blocker: int | None = None if overridden_by else holder or leader
    if blocker is not None:
        _WAIT.run(session, {**words, "holder": blocker})
    elif waits:
        _FORGET.run(session, {"task": task.task_id})
    return blocker, before


def leave(session: Session, task: Task, now: datetime, *, keeps_place: bool = False) -> None:
    """Let those go on who waited for a task that no longer changes or leads its server.

    `keeps_place` leaves the task itself in the queue: it was only paused.
    """
    if task.target_server is not None:
        lock_server(session, task.target_server)
        _release(session, task.task_id, task.target_server, now, keeps=keeps_place)


def _release(session: Session, task_id: int, server: str, now: datetime, *, keeps: bool) -> None:
    """Wake the agents of those who waited for a task, in the order of the queue.

    The wakes name no issue: its row would be locked, and issues must not wait for one another.
    """
    words = {"task": task_id, "server": server, "keeps": keeps}
    for agent_id, rolls_back, _ in _RELEASE.run(session, words).fetchall():
        reason = WakeReason.ORDER if rolls_back else WakeReason.SERVER_FREE
        wake(session, agent_id, reason, now, cause={"server": server, "task": task_id})


def stuck_queues(session: Session, now: datetime) -> list[tuple[int, str]]:
    """Return tasks that others wait for although they can neither hold nor lead a server now."""
    found = session.execute(_STUCK, {"now": now}).all()
    return [(row.holder_id, row.server_id) for row in found]


def release_stuck(session: Session, task_id: int, server: str, now: datetime) -> None:
    """Let those go on who wait for a task that has been held up, such as by its agent's pause."""
    lock_server(session, server)
    if (task_id, server) in stuck_queues(session, now):
        _release(session, task_id, server, now, keeps=True)
