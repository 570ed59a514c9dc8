"""`guardia remote`: one tool of the catalogue on many servers, which a worker carries out."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from guardia.cli import server_env
from guardia.cli.account import As, authenticate
from guardia.cli.confirmation import is_interactive
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.core.context import BoardContext
    from guardia.board.remote_console.runs import RunRequest
    from guardia.board.remote_console.view import RemoteRunView, RunTargetView
    from guardia.org.directory import PersonInfo

app = typer.Typer(no_args_is_help=True)
_Number = Annotated[int, typer.Argument(help=t("remote.cli.number"), min=1)]
_Json = Annotated[bool, typer.Option("--json", help=t("cli.json"))]
_Wait = Annotated[bool, typer.Option("--wait", help=t("remote.cli.wait"))]
_Yes = Annotated[bool, typer.Option("--yes", help=t("remote.cli.yes"))]
_Reason = Annotated[str, typer.Option("--reason", help=t("remote.cli.reason"))]
_PAUSE = 0.5


@app.command("run", help=t("remote.cli.run"))
def run(  # noqa: PLR0913, PLR0917 (the options of a command)
    tool: Annotated[str, typer.Argument(help=t("remote.cli.tool"))],
    who: As,
    arg: Annotated[list[str] | None, typer.Option("--arg", help=t("remote.cli.arg"))] = None,
    server: Annotated[
        list[str] | None, typer.Option("--server", help=t("remote.cli.server"))
    ] = None,
    institution: Annotated[
        str, typer.Option("--institution", help=t("remote.cli.institution"))
    ] = "",
    kind: Annotated[str, typer.Option("--kind", help=t("remote.cli.kind"))] = "",
    group: Annotated[str, typer.Option("--tag", help=t("remote.cli.group"))] = "",
    text: Annotated[str, typer.Option("--text", help=t("remote.cli.text"))] = "",
    reason: _Reason = "",
    sr: Annotated[int | None, typer.Option("--sr", min=1, help=t("remote.cli.sr"))] = None,
    wait: _Wait = False,
    yes: _Yes = False,
    as_json: _Json = False,
) -> None:
    """Run a read on servers, or draft a change and request its approval."""
    from guardia.board.cmdb.server_list import ServerFilter
    from guardia.board.remote_console.runs import RunRequest

    request = partial(
        RunRequest,
        tool=tool,
        args=_arguments(arg or []),
        reason=reason,
        wanted=ServerFilter(institution, kind, text, group=group),
        servers=tuple(server or ()),
        sr_id=sr,
    )
    with _signed_in(who) as (board, person):
        number = _start(board, person, request(), ask=not yes)
        _follow(board, person, number, ask=not yes, wait=wait, as_json=as_json)


@app.command("list", help=t("remote.cli.list"))
def list_(
    before: Annotated[int | None, typer.Option("--before", help=t("remote.cli.number"))] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200)] = 20,
    as_json: _Json = False,
) -> None:
    """Print runs, newest first."""
    from guardia.board.core.keyset import Keyset
    from guardia.board.remote_console import view

    with _board() as board:
        found = view.list_runs(board, None, Keyset(before=before, size=limit)).rows
    if as_json:
        server_env.print_json([_plain_run(one) for one in found])
        return
    for one in found:
        words = f"{one.tool}  {t(f'remote.state.{one.state}')}  {_figures(one)}"
        sys.stdout.write(f"{one.number}  {words}  {one.created_by}\n")
    if not found:
        sys.stdout.write(t("remote.empty") + "\n")


@app.command("show", help=t("remote.cli.show"))
def show(
    number: _Number,
    state: Annotated[str, typer.Option("--state", help=t("remote.cli.state"))] = "",
    output: Annotated[bool, typer.Option("--output", help=t("remote.cli.output"))] = False,
    as_json: _Json = False,
) -> None:
    """Print a run with its servers."""
    from guardia.board.remote_console import view

    with _board() as board:
        one = view.get_run(board, None, number)
        rows = [
            row
            for row in view.every_target(board, number)
            if not state or row.state == state.upper()
        ]
    if as_json:
        server_env.print_json(_plain_run(one) | {"servers": [_plain_target(r) for r in rows]})
        return
    _print(one, rows, with_output=output)


@app.command("again", help=t("remote.cli.again"))
def again(
    number: _Number, who: As, wait: _Wait = False, yes: _Yes = False, as_json: _Json = False
) -> None:
    """Run the servers again that did not succeed."""
    from guardia.board.remote_console import runs
    from guardia.board.remote_console.targets import RunLimits

    with _signed_in(who) as (board, person):
        fresh = runs.again(board, person, number, RunLimits.of(Settings()))
        _follow(board, person, fresh, ask=not yes, wait=wait, as_json=as_json)


@app.command("stop", help=t("remote.cli.stop"))
def stop(number: _Number, who: As, reason: _Reason = "", as_json: _Json = False) -> None:
    """Stop a run."""
    from guardia.board.remote_console import runs, view

    with _signed_in(who) as (board, person):
        runs.stop(board, person, number, reason)
        one = view.get_run(board, person, number)
    if as_json:
        server_env.print_json(_plain_run(one))
        return
    words = {"what": _name(number), "state": t(f"remote.state.{one.state}")}
    sys.stdout.write(t("remote.cli.stopped", **words) + "\n")


@contextmanager
def _board() -> Iterator[BoardContext]:
    with open_installation(Settings()) as installation, installation.board() as board:
        yield board


@contextmanager
def _signed_in(who: str) -> Iterator[tuple[BoardContext, PersonInfo]]:
    with _board() as board:
        yield board, authenticate(board, who)


def _start(board: BoardContext, person: PersonInfo, request: RunRequest, *, ask: bool) -> int:
    """Start a run; the number of servers is asked for first if a person is at the terminal."""
    from dataclasses import replace

    from guardia.board.remote_console import records, runs, targets
    from guardia.board.remote_console.targets import RunLimits

    records.require_runner(person)
    if ask and is_interactive() and request.tool in board.planner.reads():
        total = len(request.servers)
        if not total:
            total = targets.preview(board, person, request.wanted).total
            request = replace(request, expected=total)
        typer.confirm(t("remote.cli.really", count=total), abort=True)
    return runs.start(board, person, request, RunLimits.of(Settings()))


def _follow(
    board: BoardContext, person: PersonInfo, number: int, *, ask: bool, wait: bool, as_json: bool
) -> None:
    """Confirm a draft, wait for the end if that is asked for, and print what there is."""
    from guardia.board.remote_console import changes, view
    from guardia.board.remote_console.policy import RunState, TargetState

    one = view.get_run(board, person, number)
    if one.state is RunState.DRAFT:
        rows = list(view.every_target(board, number))
        if not as_json:
            _print(one, rows)
        count = one.counts.get(TargetState.WAITING, 0)
        if ask and not (
            is_interactive() and typer.confirm(t("remote.cli.really_change", count=count))
        ):
            _say(as_json, "drafted", what=_name(number), number=number)
        else:
            sr_id = changes.confirm(board, person, number)
            _say(as_json, "confirmed", what=_name(number), sr=sr_id)
    elif not wait:
        _say(as_json, "started", what=_name(number), count=one.total, number=number)
    while wait and not (one := view.get_run(board, person, number)).has_ended:
        if one.state is RunState.DRAFT:
            break
        time.sleep(_PAUSE)
    if as_json:
        one = view.get_run(board, person, number)
        rows = list(view.every_target(board, number)) if wait else []
        server_env.print_json(_plain_run(one) | {"servers": [_plain_target(r) for r in rows]})
    elif wait and one.has_ended:
        _print(one, list(view.every_target(board, number)))


def _say(as_json: bool, key: str, **words: Any) -> None:
    if not as_json:
        sys.stdout.write(t(f"remote.cli.{key}", **words) + "\n")


def _name(number: int) -> str:
    return t("remote.number", number=number)


def _arguments(words: list[str]) -> dict[str, str]:
    found = {}
    for word in words:
        name, given, value = word.partition("=")
        if not given:
            raise Invalid(what="--arg", why=t("catalog.cli.bad_arg", text=word))
        found[name.strip()] = value
    return found


def _figures(one: RemoteRunView) -> str:
    from guardia.board.remote_console.policy import TargetState

    return t("remote.figures", ok=one.counts.get(TargetState.OK, 0), failed=one.failed)


def _print(one: RemoteRunView, rows: list[RunTargetView], *, with_output: bool = False) -> None:
    screen = console()
    head = f"{_name(one.number)} {one.tool} [{t(f'remote.state.{one.state}')}] {_figures(one)}"
    screen.print(head, style="bold", markup=False, highlight=False)
    for name, text in (("reason", one.reason), ("issue", f"SR-{one.sr_id}" if one.sr_id else "")):
        if text:
            screen.print(f"  {t(f'remote.{name}')}: {text}", markup=False, highlight=False)
    table = Table(*(t(f"remote.{name}") for name in ("server", "state_head", "time", "result")))
    for row in rows:
        spent = "" if row.milliseconds is None else f"{row.milliseconds / 1000:.1f}"
        text = row.action.effect if row.action and not (row.why or row.task_id) else row.summary
        if row.conflicts:
            others = ", ".join(f"SR-{other.change.sr_id}" for other in row.conflicts)
            text = f"{text}\n{t('changes.conflict.title')}: {others}"
        table.add_row(row.server, t(f"remote.target.{row.state}"), spent, text)
    screen.print(table)
    if with_output:
        for row in rows:
            screen.print(f"===== {row.server}", style="bold", markup=False, highlight=False)
            screen.print(row.output or row.why, markup=False, highlight=False, soft_wrap=True)


def _plain_run(one: RemoteRunView) -> dict[str, Any]:
    from guardia.board.remote_console.api import run_out

    return run_out(one).model_dump(mode="json")


def _plain_target(one: RunTargetView) -> dict[str, Any]:
    from guardia.board.remote_console.api import target_out

    return target_out(one).model_dump(mode="json")
