"""What a worker does with a read: take servers, keep their output, settle each, end the run.

Each step is one transaction under the run's fence. A worker that takes a run over first ends the
servers whose commands the worker before it had begun: their results are not known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.kill_switch import kill_switch_is_on
from guardia.board.core.plan import ToolCall
from guardia.board.execution.commands import MAX_OUTPUT, hashable
from guardia.board.remote_console import records
from guardia.board.remote_console.model import RemoteRun, RemoteTarget
from guardia.board.remote_console.policy import OPEN_RUNS, RunKind, RunState, TargetState, end_of
from guardia.board.remote_console.runs import JOB, job_lock
from guardia.db import jobs
from guardia.db.engine import repeat_on_conflict
from guardia.i18n import t_default
from guardia.org.directory import PersonInfo
from guardia.org.model import Person


@dataclass(frozen=True, slots=True)
class Work:
    """A run in the hands of one worker."""

    number: int
    fence: int
    call: ToolCall
    by: PersonInfo | None
    """Who asked; `None`: the account is closed."""


@dataclass(frozen=True, slots=True)
class ReadResult:
    """How a read ended on one server."""

    state: TargetState
    milliseconds: int
    findings: Mapping[str, Any]
    output: str = ""
    is_cut: bool = False
    why: str = ""


@repeat_on_conflict
def begin(board: BoardContext, number: int) -> Work | None:
    """Take a run, or return `None` if there is nothing left to do."""
    now = board.clock()
    with board.database.transaction() as session:
        row = records.lock(session, number)
        if row.kind != RunKind.READ or RunState(row.state) not in OPEN_RUNS:
            return None
        row.fence += 1
        work = Work(
            number, row.fence, ToolCall(tool=row.tool, args=row.args), _person(session, row)
        )
        why = t_default("remote.interrupted")
        lost = records.end_targets(
            session, number, TargetState.RUNNING, TargetState.UNKNOWN, why, now
        )
        if lost:
            detail = {"servers": lost}
            kind = EntryKind.REMOTE_INTERRUPTED
            records.record(session, row, kind, records.CLOCK, now, detail, count=len(lost))
        return work


def _person(session: Session, row: RemoteRun) -> PersonInfo | None:
    actor = Actor.parse(row.created_by)
    found = session.get(Person, actor.id) if actor is not None else None
    return found.as_info() if found is not None and found.active else None


@repeat_on_conflict
def take(board: BoardContext, work: Work, most: int) -> list[tuple[int, str]]:
    """Return (place, name) of the next servers, which run from now on; none if it was stopped."""
    now = board.current_time()
    with board.database.transaction() as session:
        if kill_switch_is_on(session) or not _is_current(session, work):
            return []
        query = (
            select(RemoteTarget)
            .where(
                RemoteTarget.run_id == work.number,
                RemoteTarget.state == TargetState.WAITING.value,
            )
            .order_by(RemoteTarget.ordinal)
            .limit(most)
        )
        found = list(session.scalars(query))
        for one in found:
            one.state, one.started_at = TargetState.RUNNING.value, now
        if found:
            records.announce(session, work.number)
        return [(one.ordinal, one.server_id) for one in found]


def _is_current(session: Session, work: Work) -> bool:
    """Return whether this worker still has the run; no stop comes within the transaction."""
    query = select(RemoteRun.fence, RemoteRun.state).where(RemoteRun.run_id == work.number)
    found = session.execute(query.with_for_update(read=True)).one()
    return bool(found.fence == work.fence and found.state == RunState.RUNNING)


@repeat_on_conflict
def keep_output(board: BoardContext, work: Work, tails: Mapping[int, str]) -> bool:
    """Keep what running commands have printed; return whether the run is to go on."""
    with board.database.transaction() as session:
        goes_on = not kill_switch_is_on(session) and _is_current(session, work)
        for ordinal, text in tails.items():
            session.execute(_running(work, ordinal).values(output=output_tail(text)))
        if tails:
            records.announce(session, work.number)
        return goes_on


@repeat_on_conflict
def settle(board: BoardContext, work: Work, ordinal: int, result: ReadResult) -> None:
    """Keep the result of one server, unless another worker has taken the run over."""
    findings, is_cut = _bounded(result.findings)
    with board.database.transaction() as session:
        session.execute(
            _running(work, ordinal).values(
                state=result.state.value,
                ended_at=board.current_time(),
                milliseconds=result.milliseconds,
                findings=findings,
                output=output_tail(result.output),
                is_cut=is_cut or result.is_cut,
                why=result.why[:1000],
            )
        )
        records.announce(session, work.number)


def _running(work: Work, ordinal: int) -> Any:
    """Return an update of a server that runs in the hands of this worker."""
    mine = select(RemoteRun.run_id).where(
        RemoteRun.run_id == work.number, RemoteRun.fence == work.fence
    )
    return update(RemoteTarget).where(
        RemoteTarget.run_id.in_(mine),
        RemoteTarget.ordinal == ordinal,
        RemoteTarget.state == TargetState.RUNNING.value,
    )


def output_tail(text: str) -> str:
    """Return the end of an output as it is stored."""
    return text[-MAX_OUTPUT:]


def _bounded(findings: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return findings as they are stored, without those that would be too long together."""
    kept: dict[str, Any] = {}
    room = MAX_OUTPUT
    for name, value in findings.items():
        plain = hashable(value)
        room -= len(json.dumps(plain, ensure_ascii=False))
        if room < 0:
            return kept, True
        kept[name] = plain
    return kept, False


@repeat_on_conflict
def finish(board: BoardContext, work: Work) -> None:
    """End the run if no server is left, or have a worker go on with it."""
    now = board.clock()
    with board.database.transaction() as session:
        stopped = kill_switch_is_on(session)
        row = records.lock(session, work.number)
        if row.fence != work.fence or RunState(row.state) not in OPEN_RUNS:
            return
        if stopped and row.state == RunState.RUNNING:
            row.state, row.why = RunState.STOPPING.value, t_default("remote.switch")
        if row.state == RunState.STOPPING:
            why = row.why or t_default("remote.stopped")
            args = (session, work.number)
            records.end_targets(*args, TargetState.WAITING, TargetState.STOPPED, why, now)
            why = t_default("remote.interrupted")
            records.end_targets(*args, TargetState.RUNNING, TargetState.UNKNOWN, why, now)
        counts = records.counts_of(session, work.number)
        to = end_of(RunState(row.state), counts)
        if to is not None:
            records.record_end(session, row, to, counts, records.CLOCK, now)
        else:
            jobs.defer(session, JOB, lock=job_lock(work.number), number=work.number)
