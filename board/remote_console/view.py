"""Read runs for pages, commands and programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.core.keyset import Keyset, Slice, read_slice
from guardia.board.core.plan import Action, Plan, ToolCall
from guardia.board.execution import planned_changes
from guardia.board.execution.planned_changes import ChangeConflict
from guardia.board.remote_console import records
from guardia.board.remote_console.model import RemoteRun, RemoteTarget
from guardia.board.remote_console.policy import AGAIN, OPEN, RunKind, RunState, TargetState
from guardia.errors import NotFound
from guardia.i18n import t
from guardia.org.directory import PersonInfo

PAGE = 50
_SUMMARY = 160
_EXPORTED = 200
"""Servers that an export reads at a time."""


@dataclass(frozen=True, slots=True)
class RemoteRunView:
    """One run with its servers counted."""

    number: int
    kind: RunKind
    state: RunState
    tool: str
    args: Mapping[str, Any]
    reason: str
    chosen_by: Mapping[str, Any]
    total: int
    sr_id: int | None
    root_task_id: int | None
    again_of: int | None
    why: str
    created_by: str
    author: str
    """Stored form of who asked."""
    created_at: datetime
    ended_at: datetime | None
    counts: Mapping[TargetState, int]

    @property
    def call(self) -> ToolCall:
        """The action as pages show it."""
        return ToolCall(tool=self.tool, args=dict(self.args))

    @property
    def done(self) -> int:
        """How many servers have ended."""
        return self.total - sum(self.counts.get(state, 0) for state in OPEN)

    @property
    def failed(self) -> int:
        """How many servers "only the failed ones again" takes."""
        return sum(self.counts.get(state, 0) for state in AGAIN)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens."""
        return self.ended_at is not None


@dataclass(frozen=True, slots=True)
class RunTargetView:
    """One server of a run."""

    ordinal: int
    server: str
    state: TargetState
    started_at: datetime | None
    ended_at: datetime | None
    milliseconds: int | None
    findings: Mapping[str, Any]
    output: str
    is_cut: bool
    why: str
    rules: str
    action: Action | None
    """What a change does there."""
    task_id: int | None
    conflicts: tuple[ChangeConflict, ...] = ()
    """Other changes that are planned for about now, as long as this one is a draft."""

    @property
    def summary(self) -> str:
        """What was found, in one line."""
        if self.why:
            return self.why.splitlines()[0][:_SUMMARY]
        plain = {k: v for k, v in self.findings.items() if not isinstance(v, list | dict)}
        counted = {k: len(v) for k, v in self.findings.items() if isinstance(v, list)}
        words = [f"{k}={v}" for k, v in {**plain, **counted}.items()]
        lines = [" ".join(words), *reversed(self.output.splitlines())]
        return next((line.strip()[:_SUMMARY] for line in lines if line.strip()), "")


@dataclass(frozen=True, slots=True)
class TargetPage:
    """One page of the servers of a run, in their order."""

    rows: tuple[RunTargetView, ...]
    before: int | None
    after: int | None


def list_runs(board: BoardContext, viewer: PersonInfo | None, page: Keyset) -> Slice[RemoteRunView]:
    """Return one page of runs, newest first; `viewer` is `None` for the operator."""
    records.require_reader(viewer)
    with board.database.reading() as session:
        query = select(RemoteRun)
        found = read_slice(session, query, RemoteRun.run_id, page, key=lambda row: row[0].run_id)
        rows = [row[0] for row in found.rows]
        return Slice(tuple(_views(session, rows)), found.newer, found.older)


def get_run(board: BoardContext, viewer: PersonInfo | None, number: int) -> RemoteRunView:
    """Return one run. Raises `NotFound` if there is none for this viewer."""
    records.require_reader(viewer, number)
    with board.database.reading() as session:
        row = session.get(RemoteRun, number)
        if row is None:
            raise NotFound(what=t("remote.number", number=number))
        return next(_views(session, [row]))


def position(board: BoardContext) -> int:
    """Return the size of the audit log, for a page that is rendered now."""
    with board.database.reading() as session:
        return log.snapshot_size(session)


def targets_of(
    board: BoardContext,
    number: int,
    state: TargetState | None = None,
    *,
    after: int = 0,
    before: int | None = None,
    size: int = PAGE,
) -> TargetPage:
    """Return one page of the servers of a run that is known to be visible."""
    query = select(RemoteTarget).where(RemoteTarget.run_id == number)
    if state is not None:
        query = query.where(RemoteTarget.state == state.value)
    if before is not None:
        query = query.where(RemoteTarget.ordinal < before)
        query = query.order_by(RemoteTarget.ordinal.desc())
    else:
        query = query.where(RemoteTarget.ordinal > after).order_by(RemoteTarget.ordinal)
    with board.database.reading() as session:
        found = list(session.scalars(query.limit(size + 1)))
        conflicts = _conflicts(session, board, number, found)
    more, rows = len(found) > size, found[:size]
    if before is not None:
        rows = rows[::-1]
    earlier = more if before is not None else after > 0
    later = more if before is None else True
    return TargetPage(
        tuple(_target(row, conflicts.get(row.server_id, ())) for row in rows),
        rows[0].ordinal if rows and earlier else None,
        rows[-1].ordinal if rows and later else None,
    )


def every_target(board: BoardContext, number: int) -> Iterator[RunTargetView]:
    """Yield all servers of a run in their order, a few in memory at a time."""
    after = 0
    while True:
        page = targets_of(board, number, after=after, size=_EXPORTED)
        yield from page.rows
        if page.after is None:
            return
        after = page.after


def _views(session: Session, rows: list[RemoteRun]) -> Iterator[RemoteRunView]:
    numbers = [row.run_id for row in rows]
    counted: dict[int, dict[TargetState, int]] = {number: {} for number in numbers}
    query = (
        select(RemoteTarget.run_id, RemoteTarget.state, func.count())
        .where(RemoteTarget.run_id.in_(numbers))
        .group_by(RemoteTarget.run_id, RemoteTarget.state)
    )
    for number, state, count in session.execute(query):
        counted[number][TargetState(state)] = count
    names = display_names_of(session, [row.created_by for row in rows])
    for row in rows:
        yield RemoteRunView(
            number=row.run_id,
            kind=RunKind(row.kind),
            state=RunState(row.state),
            tool=row.tool,
            args=row.args,
            reason=row.reason,
            chosen_by=row.chosen_by,
            total=row.total,
            sr_id=row.sr_id,
            root_task_id=row.root_task_id,
            again_of=row.again_of,
            why=row.why,
            created_by=names.get(row.created_by, row.created_by),
            author=row.created_by,
            created_at=row.created_at,
            ended_at=row.ended_at,
            counts=counted[row.run_id],
        )


def _conflicts(
    session: Session, board: BoardContext, number: int, rows: list[RemoteTarget]
) -> dict[str, tuple[ChangeConflict, ...]]:
    """Return what collides with the servers of a draft, which would be changed from now on."""
    planned = [row.server_id for row in rows if row.plan and row.state == TargetState.WAITING]
    if not planned or session.get_one(RemoteRun, number).state != RunState.DRAFT:
        return {}
    return planned_changes.conflicts_on(session, planned, board.current_time())


def _target(row: RemoteTarget, conflicts: tuple[ChangeConflict, ...] = ()) -> RunTargetView:
    plan = Plan.model_validate(row.plan) if row.plan else None
    return RunTargetView(
        ordinal=row.ordinal,
        server=row.server_id,
        state=TargetState(row.state),
        started_at=row.started_at,
        ended_at=row.ended_at,
        milliseconds=row.milliseconds,
        findings=row.findings,
        output=row.output,
        is_cut=row.is_cut,
        why=row.why,
        rules=row.rules,
        action=plan.actions[0] if plan else None,
        task_id=row.task_id,
        conflicts=conflicts,
    )
