"""``guardia runs``: what woke the agents, on what they worked, and to which end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from guardia.cli.installation import opened
from guardia.i18n import t
from guardia.settings import Settings

_HEADS = ("number", "begun", "agent_head", "why", "work", "outcome", "took", "revision")

if TYPE_CHECKING:
    from guardia.board.runs.view import Row


def runs(
    agent: Annotated[str, typer.Option("--agent", help=t("cli.runs.agent"))] = "",
    before: Annotated[int | None, typer.Option("--before", help=t("cli.runs.before"))] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help=t("cli.runs.limit"))] = 20,
) -> None:
    """The newest wakings, or those before a number."""
    from guardia.board.runs import view as board_runs

    with opened(Settings()) as installation, installation.desk() as desk:
        found = board_runs.runs(desk, board_runs.Query(agent=agent, before=before, size=limit))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for head in _HEADS:
        whole = head in ("number", "begun", "work")
        table.add_column(t(f"cli.runs.{head}"), no_wrap=whole, overflow="fold")
    for row in found.rows:
        table.add_row(*_cells(row))
    console = Console()
    console.print(table, markup=False)
    if found.older:
        console.print(t("cli.runs.older", before=found.older), markup=False, highlight=False)


def _cells(row: Row) -> list[str]:
    from guardia.board.core.labels import moment, outcome

    return [
        str(row.run_id),
        moment(row.started_at, "short"),
        row.agent,
        "\n".join(_reason(reason, delta) for reason, delta in row.why),
        f"SR-{row.sr_id}" if row.sr_id else "-",
        outcome(row.outcome),
        f"{row.took.total_seconds():.1f}" if row.took is not None else "-",
        str(row.revision or "-"),
    ]


def _reason(reason: str, delta: tuple[tuple[str, object], ...]) -> str:
    from guardia.board.core.labels import given as given_of
    from guardia.board.core.labels import word

    named = [
        f"SR-{given}" if name == "issue" else f"{word('wake.cause', name)} {given_of(name, given)}"
        for name, given in delta
    ]
    return " ".join([word("wake.reason", reason), *named])
