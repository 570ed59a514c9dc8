"""`guardia autonomy`: what observing agents would have done, compared with what people did."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from guardia.board.core.issue_ref import issue_ref
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.autonomy.records import Observed
    from guardia.board.autonomy.view import AutonomyLine, AutonomyReport

app = typer.Typer(no_args_is_help=True)


@app.callback()
def autonomy() -> None:
    """Group the commands about the autonomy of agents."""


@app.command("report", help=t("autonomy.cli.report"))
def report(
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help=t("autonomy.cli.days"))] = 90,
    before: Annotated[int | None, typer.Option("--before", help=t("autonomy.cli.before"))] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=200, help=t("autonomy.cli.limit"))
    ] = 20,
    as_json: Annotated[bool, typer.Option("--json", help=t("autonomy.cli.json"))] = False,
) -> None:
    """Print the counts of a period and its newest plans."""
    from guardia.board.autonomy import view

    query = view.AutonomyQuery(before=before, size=limit, days=days)
    with open_installation(Settings()) as installation, installation.board() as board:
        found = view.autonomy_report(board, query)
    if as_json:
        sys.stdout.write(json.dumps(_as_json(found), ensure_ascii=False) + "\n")
        return
    screen = console()
    if not found.lines:
        screen.print(t("autonomy.empty"), markup=False)
        return
    screen.print(_counts_table(found.lines), _plans_table(found.rows), markup=False)
    if found.older:
        screen.print(t("autonomy.older", before=found.older), markup=False, highlight=False)


def _counts_table(lines: tuple[AutonomyLine, ...]) -> Table:
    from guardia.board.autonomy.policy import Comparison
    from guardia.board.core.labels import label

    table = Table(title=t("autonomy.counts"), title_justify="left")
    for head in (t("web.column.institution"), t("autonomy.category"), t("autonomy.mode")):
        table.add_column(head, overflow="fold")
    for head in (t("autonomy.observed"), *(t(f"autonomy.comparison.{c}") for c in Comparison)):
        table.add_column(head, justify="right")
    table.add_column(t("autonomy.share"), justify="right")
    for line in lines:
        table.add_row(
            line.institution_name,
            label("web.policy", line.category),
            t(f"autonomy.modes.{line.mode}"),
            str(line.total),
            *(str(line.counts[c]) for c in Comparison),
            "-" if line.share is None else f"{line.share}%",
        )
    return table


def _plans_table(rows: tuple[Observed, ...]) -> Table:
    table = Table(title=t("autonomy.plans"), title_justify="left")
    for name in ("issue", "would", "did", "result"):
        table.add_column(t(f"autonomy.{name}"), overflow="fold")
    for row in rows:
        table.add_row(
            issue_ref(row.sr_id),
            "\n".join(row.would) or t("autonomy.no_action"),
            "\n".join((*row.did, *row.said)) or t("autonomy.no_command"),
            t(f"autonomy.comparison.{row.comparison}"),
        )
    return table


def _as_json(found: AutonomyReport) -> dict[str, Any]:
    return {
        "lines": [
            {
                "institution": line.institution,
                "category": line.category,
                "mode": line.mode,
                "observed": line.total,
                "counts": dict(line.counts),
                "share": line.share,
            }
            for line in found.lines
        ],
        "plans": [
            {
                "number": row.seq,
                "issue": issue_ref(row.sr_id),
                "at": row.observed_at.isoformat(),
                "institution": row.institution,
                "category": row.category,
                "because": row.because,
                "would": row.would,
                "did": row.did,
                "said": row.said,
                "comparison": row.comparison,
            }
            for row in found.rows
        ],
        "older": found.older,
    }
