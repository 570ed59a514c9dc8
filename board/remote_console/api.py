"""API of the remote console: start, confirm, read, repeat and stop runs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from guardia.board.cmdb.server_list import ServerFilter
from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset
from guardia.board.remote_console import changes, runs, view
from guardia.board.remote_console.policy import TargetState
from guardia.board.remote_console.runs import RunRequest
from guardia.board.remote_console.targets import RunLimits
from guardia.board.remote_console.view import RemoteRunView
from guardia.board.web.caller import BoardDep, Caller
from guardia.org.directory import PersonInfo
from guardia.text import CleanStr, Reason

router = APIRouter(prefix="/api/v3/remote-runs", tags=["remote console"])

_MAX = 2**63 - 1
Number = Annotated[int, Path(ge=1, le=_MAX)]
Cursor = Annotated[int | None, Query(ge=0, le=_MAX)]
_Word = Annotated[CleanStr, Field(max_length=100)]
_Value = Annotated[CleanStr, Field(max_length=2000)]


class FilterIn(BaseModel):
    """Which servers; what is empty does not restrict."""

    institution: _Word = ""
    kind: _Word = ""
    group: _Word = ""
    text: _Word = ""


class RunIn(BaseModel):
    """An action of the catalogue, and the servers that it runs on."""

    tool: _Word
    args: Annotated[dict[_Word, _Value], Field(max_length=32)] = {}
    filter: FilterIn = FilterIn()
    servers: Annotated[list[_Word], Field(max_length=20_000)] = []
    """Names of servers; without any, the filter chooses."""
    expected: Annotated[int | None, Field(ge=0, le=1_000_000)] = None
    """How many servers the filter is to find; 409 if it finds another number."""
    reason: Reason = ""
    sr: Annotated[int | None, Field(ge=1, le=_MAX)] = None


class ReasonIn(BaseModel):
    """Why a run is stopped."""

    reason: Reason = ""


class RunOut(BaseModel):
    """A run with its servers counted."""

    number: int
    kind: str
    state: str
    tool: str
    args: dict[str, Any]
    reason: str
    filter: dict[str, Any]
    total: int
    counts: dict[str, int]
    sr: int | None
    again_of: int | None
    why: str
    created_by: str
    created_at: datetime
    ended_at: datetime | None


class TargetOut(BaseModel):
    """One server of a run."""

    ordinal: int
    server: str
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    milliseconds: int | None
    findings: dict[str, Any]
    output: str
    cut: bool
    why: str
    rules: str
    effect: str
    conflicts: list[int]
    """Issues whose planned changes collide with a draft."""
    task: int | None


@router.get("", summary="Runs, newest first")
def index(
    board: BoardDep, caller: Caller, before: Cursor = None, after: Cursor = None
) -> list[RunOut]:
    """Return one page of runs."""
    return [run_out(one) for one in view.list_runs(board, caller, Keyset(before, after)).rows]


@router.post("", status_code=201, summary="Start a read on servers, or draft a change")
def start(request: Request, board: BoardDep, caller: Caller, body: RunIn) -> RunOut:
    """Start a run. A change waits for its confirmation and then for its approvals."""
    chosen = body.filter
    wanted = ServerFilter(chosen.institution, chosen.kind, chosen.text, group=chosen.group)
    given = RunRequest(
        tool=body.tool,
        args=body.args,
        reason=body.reason,
        wanted=wanted,
        servers=body.servers,
        sr_id=body.sr,
        expected=body.expected,
    )
    return _show(board, caller, runs.start(board, caller, given, _limits(request)))


@router.get("/{number}", summary="A run")
def show(board: BoardDep, caller: Caller, number: Number) -> RunOut:
    """Return a run; 404 for who may not read runs."""
    return _show(board, caller, number)


@router.get("/{number}/servers", summary="The servers of a run with their outputs")
def servers(
    board: BoardDep,
    caller: Caller,
    number: Number,
    state: TargetState | None = None,
    after: Cursor = None,
) -> list[TargetOut]:
    """Return one page of servers; `after` is the last `ordinal` of the page before."""
    view.get_run(board, caller, number)
    page = view.targets_of(board, number, state, after=after or 0)
    return [target_out(one) for one in page.rows]


@router.post("/{number}/confirm", summary="Confirm a drafted change: request its approvals")
def confirm(board: BoardDep, caller: Caller, number: Number) -> RunOut:
    """File a change that was drafted by the same person."""
    changes.confirm(board, caller, number)
    return _show(board, caller, number)


@router.post("/{number}/again", status_code=201, summary="Run the failed servers again")
def again(request: Request, board: BoardDep, caller: Caller, number: Number) -> RunOut:
    """Start the same action on the servers that did not succeed."""
    return _show(board, caller, runs.again(board, caller, number, _limits(request)))


@router.post("/{number}/stop", summary="Stop a run")
def stop(board: BoardDep, caller: Caller, number: Number, body: ReasonIn) -> RunOut:
    """End the running commands and begin no further one."""
    runs.stop(board, caller, number, body.reason)
    return _show(board, caller, number)


def _limits(request: Request) -> RunLimits:
    return RunLimits.of(request.app.state.settings)


def _show(board: BoardContext, caller: PersonInfo, number: int) -> RunOut:
    return run_out(view.get_run(board, caller, number))


def run_out(one: RemoteRunView) -> RunOut:
    """Return a run as JSON says it."""
    return RunOut(
        number=one.number,
        kind=one.kind,
        state=one.state,
        tool=one.tool,
        args=dict(one.args),
        reason=one.reason,
        filter=dict(one.chosen_by),
        total=one.total,
        counts={state.value: count for state, count in one.counts.items()},
        sr=one.sr_id,
        again_of=one.again_of,
        why=one.why,
        created_by=one.created_by,
        created_at=one.created_at,
        ended_at=one.ended_at,
    )


def target_out(one: view.RunTargetView) -> TargetOut:
    """Return a server of a run as JSON says it."""
    return TargetOut(
        ordinal=one.ordinal,
        server=one.server,
        state=one.state,
        started_at=one.started_at,
        ended_at=one.ended_at,
        milliseconds=one.milliseconds,
        findings=dict(one.findings),
        output=one.output,
        cut=one.is_cut,
        why=one.why,
        rules=one.rules,
        effect=one.action.effect if one.action else "",
        conflicts=[other.change.sr_id for other in one.conflicts],
        task=one.task_id,
    )
