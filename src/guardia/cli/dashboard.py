"""`guardia dashboard`: figures of cards as tables, JSON or files; rebuild their totals."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from guardia.board.core.labels import format_time
from guardia.cli.account import As, authenticate
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.dashboard.cards import CardTable, Cell

app = typer.Typer(no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help=t("cli.json"))]


@app.command("list", help=t("dashboard.cli.list"))
def list_(who: As, as_json: _Json = False) -> None:
    """Print the cards that a person may see."""
    from guardia.board.dashboard.registry import allowed_cards

    with open_installation(Settings()) as installation, installation.board() as board:
        names = [card.name for card in allowed_cards(authenticate(board, who))]
    titles = {name: t(f"dashboard.{name}.title") for name in names}
    if as_json:
        sys.stdout.write(json.dumps(titles, ensure_ascii=False) + "\n")
        return
    for name, title in titles.items():
        sys.stdout.write(f"{name}\t{title}\n")


@app.command("show", help=t("dashboard.cli.show"))
def show(
    name: Annotated[str, typer.Argument(help=t("dashboard.cli.name"))],
    who: As,
    days: Annotated[int, typer.Option("--days", help=t("dashboard.cli.days"))] = 30,
    institution: Annotated[
        str, typer.Option("--institution", help=t("dashboard.cli.institution"))
    ] = "",
    server: Annotated[str, typer.Option("--server", help=t("dashboard.cli.server"))] = "",
    file: Annotated[Path | None, typer.Option("--output", help=t("dashboard.cli.export"))] = None,
    as_json: _Json = False,
) -> None:
    """Print the figures of a card, or save them to a file."""
    from guardia.board.dashboard.cards import PERIODS, CardFilters
    from guardia.board.dashboard.registry import find_card

    if days not in PERIODS:
        raise Invalid(what="--days", why=", ".join(map(str, PERIODS)))
    filters = CardFilters(days, institution, server.upper())
    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        card = find_card(person, name)
        found = card.table(card.read(board, person, filters), filters)
    title = t(f"dashboard.{name}.title")
    if file is not None:
        _save(file, title, found)
    elif as_json:
        content = {"name": name, "title": title, "columns": found.columns, "rows": found.rows}
        text = json.dumps(content, ensure_ascii=False, default=date.isoformat)
        sys.stdout.write(text + "\n")
    else:
        _print(title, found)


@app.command("rebuild", help=t("dashboard.cli.rebuild"))
def rebuild() -> None:
    """Rebuild the totals from the tables, while work goes on."""
    from guardia.board.dashboard import totals

    with open_installation(Settings()) as installation, installation.board() as board:
        count = totals.rebuild(board)
    sys.stdout.write(t("dashboard.cli.rebuilt", count=f"{count:,}") + "\n")


def _save(file: Path, title: str, found: CardTable) -> None:
    from guardia.board.dashboard import exports

    if file.suffix == ".csv":
        file.write_text(exports.as_csv(found), "utf-8", newline="")
    elif file.suffix == ".xlsx":
        file.write_bytes(exports.as_workbook(title, found))
    else:
        raise Invalid(what=str(file), why=t("dashboard.cli.suffix"))
    sys.stdout.write(t("dashboard.cli.saved", path=file) + "\n")


def _print(title: str, found: CardTable) -> None:
    table = Table(title=title)
    for number, name in enumerate(found.columns):
        is_number = bool(found.rows) and isinstance(found.rows[0][number], (int, float))
        table.add_column(name, justify="right" if is_number else "left")
    for row in found.rows:
        table.add_row(*(_text(cell) for cell in row))
    console().print(table)


def _text(cell: Cell) -> str:
    if isinstance(cell, datetime):
        return format_time(cell)
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, str) or cell is None:
        return cell or ""
    return f"{cell:,}"
