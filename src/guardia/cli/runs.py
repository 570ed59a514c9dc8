"""`guardia runs`: why agents woke, what they worked on, and the outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from guardia.board.core.issue_ref import issue_ref
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.i18n import t
from guardia.settings import Settings

_COLUMNS = ("number", "begun", "agent_head", "why", "work", "outcome", "took", "revision")

if TYPE_CHECKING:
    from guardia.board.runs.view import RunRow


def runs(
    agent: Annotated[str, typer.Option("--agent", help=t("cli.runs.agent"))] = "",
    before: Annotated[int | None, typer.Option("--before", help=t("cli.runs.before"))] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help=t("cli.runs.limit"))] = 20,
) -> None:
    """Print the newest runs, or those before a number."""
    from guardia.board.runs import view as board_runs

    with open_installation(Settings()) as installation, installation.board() as board:
        found = board_runs.list_runs(
            board, board_runs.RunQuery(agent=agent, before=before, size=limit)
        )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for head in _COLUMNS:
        whole = head in ("number", "begun", "work")
        table.add_column(t(f"cli.runs.{head}"), no_wrap=whole, overflow="fold")
    for row in found.rows:
        table.add_row(*_run_cells(row))
    screen = console()
    screen.print(table)
    if found.older:
        screen.print(t("cli.runs.older", before=found.older))


def _run_cells(row: RunRow) -> list[str]:
    from guardia.board.core.labels import format_time, outcome_label

    return [
        str(row.run_id),
        format_time(row.started_at, "short"),
        row.agent,
        "\n".join(_reason(reason, delta) for reason, delta in row.reasons),
        issue_ref(row.sr_id) if row.sr_id else "-",
        outcome_label(row.outcome),
        f"{row.duration.total_seconds():.1f}" if row.duration is not None else "-",
        str(row.revision or "-"),
    ]


def _reason(reason: str, delta: tuple[tuple[str, Any], ...]) -> str:
    from guardia.board.core.labels import cause_label, label

    named = [
        issue_ref(given)
        if name == "issue"
        else f"{label('wake.cause', name)} {cause_label(name, given)}"
        for name, given in delta
    ]
    return " ".join([label("wake.reason", reason), *named])
