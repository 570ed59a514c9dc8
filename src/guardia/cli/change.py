"""`guardia change`: the change calendar."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from guardia.cli.installation import open_installation
from guardia.i18n import t
from guardia.settings import Settings

app = typer.Typer(no_args_is_help=True)

_Json = Annotated[bool, typer.Option("--json", help=t("service.cli.json"))]


@app.command("list", help=t("changes.cli.list"))
def list_(
    shape: Annotated[str, typer.Option("--view", help=t("changes.cli.view"))] = "agenda",
    day: Annotated[str, typer.Option("--day", help=t("changes.cli.day"))] = "",
    institution: Annotated[
        str, typer.Option("--institution", help=t("changes.cli.institution"))
    ] = "",
    server: Annotated[str, typer.Option("--server", help=t("changes.cli.server"))] = "",
    as_json: _Json = False,
) -> None:
    """Print what is planned."""
    from guardia.board.change_calendar import view
    from guardia.board.core.labels import format_time

    with open_installation(Settings()) as installation, installation.board() as board:
        page = view.read_page(board, None, shape, day, institution, server)
    found = {entry.key: entry for one in page.days for entry in one.entries}
    found |= {entry.key: entry for entry in page.without_time}
    if as_json:
        rows = [asdict(one) for one in found.values()]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False, default=str) + "\n")
        return
    for one in found.values():
        at = format_time(one.begins, "short") if one.begins else t("changes.conflict.now")
        until = f"–{format_time(one.ends, 'short')}" if one.ends else ""
        mark = f" ! {t('changes.clash')}" if one.has_conflict else ""
        kind = t(f"changes.type.{one.type}")
        sys.stdout.write(f"{at}{until}  [{kind}] {one.place} {one.title}{mark}\n")
    if not found:
        sys.stdout.write(t("changes.empty") + "\n")


@app.command("conflicts", help=t("changes.cli.conflicts"))
def conflicts(
    server: Annotated[str, typer.Argument(help=t("changes.cli.server"))],
    at: Annotated[str, typer.Option("--at", help=t("changes.cli.at"))] = "",
    as_json: _Json = False,
) -> None:
    """Print what a change of a server at a time would collide with."""
    from guardia.board.approvals import start_time
    from guardia.board.change_calendar import view
    from guardia.board.core.issue_ref import issue_ref
    from guardia.board.core.labels import format_time

    with open_installation(Settings()) as installation, installation.board() as board:
        found = view.conflicts(board, None, server, start_time.read_start(board, at))
    if as_json:
        rows = [asdict(one) for one in found]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False, default=str) + "\n")
        return
    for one in found:
        begins = one.change.begins
        when = format_time(begins, "short") if begins else t("changes.conflict.now")
        relation = t(f"changes.relation.{one.relation}")
        number = issue_ref(one.change.sr_id)
        sys.stdout.write(f"{when}  {number} {one.change.server} [{relation}] {one.change.title}\n")
    if not found:
        sys.stdout.write(t("changes.cli.none") + "\n")
