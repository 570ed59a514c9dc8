"""`guardia notice`: deliveries, and emergency calls."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from guardia.board.core.issue_ref import issue_ref
from guardia.cli.account import As, authenticate
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.i18n import t
from guardia.settings import Settings

app = typer.Typer(no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help=t("notices.cli.json"))]
_Limit = Annotated[int, typer.Option("--limit", min=1, max=500, help=t("notices.cli.limit"))]


@app.callback()
def notice() -> None:
    """Group the commands about notices."""


@app.command("list", help=t("notices.cli.list"))
def show_list(
    state: Annotated[str, typer.Option("--state", help=t("notices.cli.state"))] = "",
    limit: _Limit = 30,
    as_json: _Json = False,
) -> None:
    """Print the newest deliveries."""
    from guardia.board.notifications import delivery_view

    with open_installation(Settings()) as installation, installation.board() as board:
        rows = delivery_view.deliveries(board, state=state, size=limit).rows
    if as_json:
        sys.stdout.write(json.dumps([asdict(r) for r in rows], ensure_ascii=False, default=str))
        sys.stdout.write("\n")
        return
    table = _table("at", "medium", "to", "issue", "text", "state", "attempts", "error")
    for row in rows:
        table.add_row(
            f"{row.created_at:%m-%d %H:%M}",
            t(f"notices.medium.{row.medium or ('alert' if row.kind == 'alert' else 'room')}"),
            " ".join(filter(None, (row.person, row.place))),
            issue_ref(row.sr_id) if row.sr_id else "-",
            row.text[:80],
            t(f"notices.state.{row.state}"),
            str(row.attempts),
            row.error,
        )
    _print(table)


@app.command("calls", help=t("notices.cli.on_call"))
def calls(limit: _Limit = 30, as_json: _Json = False) -> None:
    """Print emergency calls, those that wait first."""
    from guardia.board.notifications import inbox

    with open_installation(Settings()) as installation, installation.board() as board:
        rows = inbox.list_alarms(board, limit)
    if as_json:
        sys.stdout.write(json.dumps([asdict(r) for r in rows], ensure_ascii=False, default=str))
        sys.stdout.write("\n")
        return
    table = _table("id", "at", "kind", "issue", "text", "state", "by")
    for row in rows:
        table.add_row(
            str(row.on_call_id),
            f"{row.created_at:%m-%d %H:%M}",
            t(f"notices.kind.{row.kind}"),
            issue_ref(row.sr_id) if row.sr_id else "-",
            row.text[:80],
            t(f"notices.state.{row.state}"),
            row.acknowledged_by or ", ".join(row.called),
        )
    _print(table)


@app.command("ack", help=t("notices.cli.ack"))
def acknowledge(
    on_call_id: Annotated[int, typer.Argument(min=1, help=t("notices.cli.alarm"))],
    who: As,
) -> None:
    """Acknowledge an emergency call in the name of a person."""
    from guardia.board.notifications import on_call

    with open_installation(Settings()) as installation, installation.board() as board:
        done = on_call.acknowledge(board, authenticate(board, who), on_call_id)
    key = "acknowledged" if done.is_first else "already"
    sys.stdout.write(t(f"notices.{key}", id=on_call_id, who=done.by) + "\n")


def _table(*names: str) -> Table:
    table = Table()
    for name in names:
        table.add_column(t(f"notices.column.{name}"), overflow="fold")
    return table


def _print(table: Table) -> None:
    if table.row_count:
        console().print(table, markup=False)
    else:
        console().print(t("notices.cli.none"), markup=False)
