"""`guardia rollout`: one artefact on several servers, in order, under one approval."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from guardia.cli.account import As, authenticate
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.core.context import BoardContext
    from guardia.board.rollouts.policy import Options
    from guardia.board.rollouts.view import RolloutView
    from guardia.org.directory import PersonInfo
    from guardia.tools.deployment import HealthGate

app = typer.Typer(no_args_is_help=True)
_Number = Annotated[int, typer.Argument(help=t("rollouts.cli.number"), min=1)]
_To = Annotated[list[str], typer.Option("--to", help=t("rollouts.cli.to"))]
_Tiers = Annotated[str, typer.Option("--tiers", help=t("rollouts.tiers"))]
_Batch = Annotated[int, typer.Option("--batch", min=1, help=t("rollouts.batch_size"))]
_Canary = Annotated[bool, typer.Option("--canary/--no-canary", help=t("rollouts.canary"))]
_Look = Annotated[bool, typer.Option("--pause-after-canary", help=t("rollouts.pause_after_canary"))]
_Failure = Annotated[str, typer.Option("--on-failure", help=t("rollouts.on_failure"))]
_Interruption = Annotated[
    str, typer.Option("--on-interruption", help=t("rollouts.on_interruption"))
]
_File = Annotated[str, typer.Option("--file", help=t("rollouts.cli.file"))]
_Package = Annotated[str, typer.Option("--package", help=t("rollouts.cli.package"))]
_Reason = Annotated[str, typer.Option("--reason", help=t("rollouts.reason"))]
_SHOWN = 12


@app.command("plan", help=t("rollouts.cli.plan"))
def plan(  # noqa: PLR0913, PLR0917 (the options of a command)
    artifact: Annotated[int, typer.Argument(help=t("rollouts.cli.artifact"), min=1)],
    to: _To,
    who: As,
    tiers: _Tiers = "WEB,WAS,DB",
    batch: _Batch = 1,
    canary: _Canary = True,
    pause_after_canary: _Look = False,
    on_failure: _Failure = "rollback",
    on_interruption: _Interruption = "continue",
    file: _File = "",
    package: _Package = "",
    watch: Annotated[
        int, typer.Option("--watch", min=1, max=300, help=t("rollouts.cli.watch"))
    ] = 10,
    failed: Annotated[
        int, typer.Option("--max-failed", min=0, max=100, help=t("rollouts.cli.failed"))
    ] = 0,
    slow: Annotated[int, typer.Option("--max-ms", min=1, help=t("rollouts.cli.slow"))] = 3000,
    body: Annotated[str, typer.Option("--body", help=t("rollouts.cli.body"))] = "",
) -> None:
    """Draft a rollout of an artefact."""
    from guardia.tools.deployment import HealthGate

    options = _options(
        tiers, batch, on_failure, on_interruption, canary=canary, look=pause_after_canary
    )
    gate = HealthGate(watch, failed, slow, body)
    with _signed_in(who) as (board, person):
        number = _draft(board, person, artifact, _targets(to), options, (file, package, gate))
    sys.stdout.write(t("rollouts.cli.drafted", number=number) + "\n")


@app.command("edit", help=t("rollouts.cli.edit"))
def edit(  # noqa: PLR0917 (the options of a command)
    number: _Number,
    who: As,
    tiers: _Tiers = "WEB,WAS,DB",
    batch: _Batch = 1,
    canary: _Canary = True,
    pause_after_canary: _Look = False,
    on_failure: _Failure = "rollback",
    on_interruption: _Interruption = "continue",
) -> None:
    """Change the order and the rules of a draft."""
    from guardia.board.rollouts import drafts

    options = _options(
        tiers, batch, on_failure, on_interruption, canary=canary, look=pause_after_canary
    )
    with _signed_in(who) as (board, person):
        drafts.reorder(board, person, number, options)
        _say(board, number)


@app.command("submit", help=t("rollouts.cli.submit"))
def submit(
    number: _Number,
    who: As,
    exception: Annotated[str, typer.Option("--exception", help=t("rollouts.exception_hint"))] = "",
) -> None:
    """Request the approval of a draft."""
    from guardia.board.rollouts import drafts

    with _signed_in(who) as (board, person):
        sr_id = drafts.submit(board, person, number, exception)
    sys.stdout.write(t("rollouts.cli.submitted", sr=sr_id) + "\n")


@app.command("list", help=t("rollouts.cli.list"))
def list_(
    before: Annotated[int | None, typer.Option("--before", help=t("rollouts.cli.number"))] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200)] = 20,
) -> None:
    """Print rollouts, newest first."""
    from guardia.board.core.keyset import Keyset
    from guardia.board.rollouts import view

    with open_installation(Settings()) as installation, installation.board() as board:
        found = view.list_rollouts(board, None, Keyset(before=before, size=limit))
    for one in found.rows:
        state = t(f"rollouts.state.{one.state}")
        sys.stdout.write(f"{one.number}  {one.title}  {state}  {one.done}/{len(one.servers)}\n")
    if not found.rows:
        sys.stdout.write(t("rollouts.empty") + "\n")


@app.command("show", help=t("rollouts.cli.show"))
def show(number: _Number) -> None:
    """Print a rollout with its servers."""
    from guardia.board.rollouts import rulings, view

    with open_installation(Settings()) as installation, installation.board() as board:
        one = view.get_rollout(board, None, number)
        _print(one)
        for rule in rulings.rules_of(board, number, one.state):
            said = f"[{t(f'rules.status.{rule.status.state}')}] {rule.status.rule.sentence}"
            line = " ".join(filter(None, (said, rule.status.why, ", ".join(rule.servers))))
            console().print(f"  {line}", markup=False, highlight=False)


@app.command("pause", help=t("rollouts.cli.pause"))
def pause(number: _Number, who: As, reason: _Reason = "") -> None:
    """Begin no further batch."""
    from guardia.board.rollouts import progress

    with _signed_in(who) as (board, person):
        progress.pause(board, person, number, reason)
        _say(board, number)


@app.command("resume", help=t("rollouts.cli.resume"))
def resume(number: _Number, who: As) -> None:
    """Go on with a paused rollout."""
    from guardia.board.rollouts import progress

    with _signed_in(who) as (board, person):
        progress.resume(board, person, number)
        _say(board, number)


@app.command("back", help=t("rollouts.cli.back"))
def back(number: _Number, who: As, reason: _Reason = "") -> None:
    """Roll back all changed servers."""
    from guardia.board.rollouts import progress

    with _signed_in(who) as (board, person):
        progress.roll_back(board, person, number, reason)
        _say(board, number)


@app.command("cancel", help=t("rollouts.cli.cancel"))
def cancel(number: _Number, who: As, reason: _Reason = "") -> None:
    """Cancel a rollout."""
    from guardia.board.rollouts import drafts

    with _signed_in(who) as (board, person):
        drafts.cancel(board, person, number, reason)
        _say(board, number)


@app.command("again", help=t("rollouts.cli.again"))
def again(number: _Number, who: As, file: _File = "", package: _Package = "") -> None:
    """Draft a rollout of the servers that are not done."""
    from guardia.board.rollouts import progress, view
    from guardia.tools.deployment import HealthGate

    with _signed_in(who) as (board, person):
        old = view.get_rollout(board, person, number)
        if old.artifact_id is None:
            raise Invalid(what=t("rollouts.artifact"), why=t("rollouts.none"))
        left = progress.unfinished(board, number)
        details = (file, package, HealthGate())
        fresh = _draft(board, person, old.artifact_id, left, old.options, details)
    sys.stdout.write(t("rollouts.cli.drafted", number=fresh) + "\n")


@contextmanager
def _signed_in(who: str) -> Iterator[tuple[BoardContext, PersonInfo]]:
    with open_installation(Settings()) as installation, installation.board() as board:
        yield board, authenticate(board, who)


def _draft(
    board: BoardContext,
    person: PersonInfo,
    artifact: int,
    targets: list[tuple[str, str]],
    options: Options,
    details: tuple[str, str, HealthGate],
) -> int:
    """Read the servers, plan each, and draft the rollout."""
    from guardia.board.artifacts import view as artifacts
    from guardia.board.cmdb import view as cmdb
    from guardia.board.rollouts import drafts
    from guardia.org.credential_store import FileCredentialStore
    from guardia.tools.deployment import Content, Deployment
    from guardia.tools.fronts import plan_with_fronts
    from guardia.tools.gate import Gate
    from guardia.tools.transport.connections import Connections

    def content(one: artifacts.ArtifactView) -> Content:
        return Content(one.name, one.version, one.file_name, one.sha256, one.size)

    def find(name: str, version: str) -> Content | None:
        found = artifacts.find_artifact(board, name, version)
        return content(found) if found else None

    wanted = content(artifacts.get_artifact(board, person, artifact))
    with Connections(FileCredentialStore(Settings().secrets)) as connections:
        reads = Gate(board, connections)
        plans = []
        for server, service in targets:
            host = cmdb.server(board, server)
            deployment = Deployment(wanted, service, find, *details)
            read = partial(reads.inspect, person, host)
            plans.append(plan_with_fronts(host, deployment, read, partial(cmdb.server, board)))
    return drafts.draft(board, person, artifact, plans, options)


def _targets(to: list[str]) -> list[tuple[str, str]]:
    found = []
    for pair in to:
        server, _, service = pair.partition("=")
        if not server.strip() or not service.strip():
            raise Invalid(what="--to", why=t("rollouts.cli.to"))
        found.append((server.strip(), service.strip()))
    return found


def _options(
    tiers: str, batch: int, on_failure: str, on_interruption: str, *, canary: bool, look: bool
) -> Options:
    from guardia.board.rollouts.forms import parse_options

    return parse_options(
        tiers, str(batch), on_failure, on_interruption, canary=canary, pause_after_canary=look
    )


def _say(board: BoardContext, number: int) -> None:
    from guardia.board.rollouts import view

    state = view.get_rollout(board, None, number).state
    sys.stdout.write(t("rollouts.cli.done", state=t(f"rollouts.state.{state}")) + "\n")


def _print(one: RolloutView) -> None:
    screen = console()
    head = f"{t('rollouts.number', number=one.number)} {one.title}"
    screen.print(f"{head} [{t(f'rollouts.state.{one.state}')}]", style="bold", markup=False)
    lines = {
        "artifact": f"{one.artifact_id or '-'} {one.sha256[:_SHOWN]}",
        "issue": f"SR-{one.sr_id}" if one.sr_id else "",
        "tiers": " → ".join(one.options.tiers),
        "on_failure": t(f"rollouts.rule.{one.options.on_failure}"),
        "on_interruption": t(f"rollouts.rule.{one.options.on_interruption}"),
        "reason": one.reason,
    }
    for name, text in lines.items():
        if text:
            screen.print(f"  {t(f'rollouts.{name}')}: {text}", markup=False, highlight=False)
    heads = ("batch", "tier", "server", "service", "state_head", "plan")
    table = Table(*(t(f"rollouts.{name}") for name in heads))
    for server in one.servers:
        state = t(f"rollouts.server_state.{server.state}")
        row = (str(server.batch), server.tier, server.server, server.service, state)
        table.add_row(*row, server.hash[:_SHOWN])
    screen.print(table)
