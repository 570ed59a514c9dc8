"""`guardia costs` and `guardia budget raise`: costs of models and work, and higher budgets."""

from __future__ import annotations

import json
import sys
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from guardia.board.core.issue_ref import issue_ref
from guardia.cli.account import As, authenticate
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.costs.report import BudgetStatus, CostLine
    from guardia.org.budgets import Amount, Cap

app = typer.Typer(no_args_is_help=True)


def costs(
    by: Annotated[str, typer.Option("--by", help=t("cli.costs.by"))] = "agent",
    month: Annotated[str, typer.Option("--month", help=t("cli.costs.month"))] = "",
    as_json: Annotated[bool, typer.Option("--json", help=t("cli.json"))] = False,
) -> None:
    """Print the costs of a month, and what is left of its budgets."""
    from guardia.board.costs import report

    if by not in report.GROUPS:
        raise Invalid(what="--by", why=", ".join(report.GROUPS))
    with open_installation(Settings()) as installation, installation.board() as board:
        now = report.this_month(board)
        chosen = _parse_month(month) if month else now
        found = report.cost_lines(board, by, chosen)
        budgets = report.budget_statuses(board) if chosen == now else ()
    if as_json:
        sys.stdout.write(
            json.dumps(_as_json(by, chosen, found, budgets), ensure_ascii=False) + "\n"
        )
        return
    screen = console()
    screen.print(_costs_table(by, chosen, found))
    if capped := [b for b in budgets if b.share is not None or not b.day_cap.is_unlimited]:
        screen.print(_budget_table(capped))


@app.command("raise", help=t("cli.costs.raise"))
def raise_cap(
    scope: Annotated[str, typer.Argument(help=t("cli.costs.scope"))],
    who: As,
    reason: Annotated[str, typer.Option("--reason", help=t("cli.issue.reason"))],
    won: Annotated[int, typer.Option("--won", help=t("cli.costs.won"))] = 0,
    tokens: Annotated[int, typer.Option("--tokens", help=t("cli.costs.tokens"))] = 0,
) -> None:
    """Raise a budget for this month and today; an agent that it had paused resumes."""
    from guardia.board.costs import budgets

    kind, _, name = scope.partition(":")
    if kind not in budgets.SCOPES:
        kind, name = "agent", scope
    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        resumed = budgets.raise_cap(
            board, person, kind, name, won=won, tokens=tokens, reason=reason
        )
    sys.stdout.write(t("cli.costs.raised") + "\n")
    if resumed:
        sys.stdout.write(t("cli.costs.resumed", agent=name) + "\n")


def _parse_month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise Invalid(what="--month", why=t("cli.costs.month_format")) from None


def _as_json(
    by: str, month: date, found: tuple[CostLine, ...], budgets: tuple[BudgetStatus, ...]
) -> dict[str, Any]:
    from guardia.org.budgets import MICROS_PER_WON

    def line(one: CostLine) -> dict[str, Any]:
        fields = {name: getattr(one, name) for name in one.__slots__}
        return {**fields, "won": fields.pop("cost") / MICROS_PER_WON}

    def part(spent: Amount, cap: Cap) -> dict[str, Any]:
        caps = {
            "tokens": cap.tokens,
            "won": None if cap.cost is None else cap.cost / MICROS_PER_WON,
        }
        return {"spent": {"tokens": spent.tokens, "won": spent.cost / MICROS_PER_WON}, "cap": caps}

    return {
        "month": f"{month:%Y-%m}",
        "by": by,
        "lines": [line(one) for one in found],
        "budgets": [
            {
                "scope": b.scope,
                "id": b.scope_id,
                "title": b.title,
                "month": part(b.month, b.month_cap),
                "day": part(b.day, b.day_cap),
                "rests": b.rests,
            }
            for b in budgets
        ],
    }


def _costs_table(by: str, month: date, found: tuple[CostLine, ...]) -> Table:
    from guardia.org.budgets import format_won

    table = Table(title=t("cli.costs.title", month=f"{month:%Y-%m}"), title_justify="left")
    table.add_column(t(f"costs.by.{by}"), overflow="fold")
    for name in ("calls", "tokens_in", "tokens_out", "won", "commands", "hours"):
        table.add_column(t(f"costs.column.{name}"), justify="right")
    for one in found:
        table.add_row(
            f"{issue_ref(one.key)} {one.title}"
            if by == "issue"
            else one.title or t("costs.unknown"),
            f"{one.calls:,}",
            f"{one.tokens_in:,}",
            f"{one.tokens_out:,}",
            format_won(one.cost),
            f"{one.commands:,}",
            _format_duration(one.wall_ms),
        )
    if not found:
        table.caption = t("costs.empty")
    return table


def _budget_table(budgets: list[BudgetStatus]) -> Table:
    table = Table(title=t("costs.budgets"), title_justify="left")
    table.add_column(t("costs.column.budget"), overflow="fold")
    for name in ("month", "share", "day"):
        table.add_column(t(f"costs.column.{name}"), justify="right")
    for one in budgets:
        share = "-" if one.share is None else f"{one.share}%"
        rests = f" ({t('costs.resting')})" if one.rests else ""
        table.add_row(
            f"{one.title}{rests}",
            _spent_of_cap(one.month, one.month_cap),
            share,
            _spent_of_cap(one.day, one.day_cap),
        )
    return table


def _spent_of_cap(spent: Amount, cap: Cap) -> str:
    from guardia.org.budgets import format_won

    parts = []
    if cap.tokens is not None:
        parts.append(t("costs.of_tokens", spent=f"{spent.tokens:,}", cap=f"{cap.tokens:,}"))
    if cap.cost is not None:
        parts.append(t("costs.of_won", spent=format_won(spent.cost), cap=format_won(cap.cost)))
    return "\n".join(parts) or "-"


def _format_duration(milliseconds: int) -> str:
    seconds = milliseconds // 1000
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
