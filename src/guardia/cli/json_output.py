"""`--json` for every command that returns data and has no JSON form of its own.

Such a command prints tables and lines. As JSON they are `{"rows": [...], "lines": [...]}`; the
names of a row's fields are those of the columns' texts in the catalogue, in any language.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache, wraps
from importlib.resources import files
from io import StringIO
from typing import Annotated, Any

import typer
from rich.table import Table

from guardia.cli.command_permissions import COMMAND_ACTIONS, commands
from guardia.cli.console import captured_tables
from guardia.i18n import LANGUAGES, catalogue, t

_READS = frozenset({"list", "show", "history", "diff", "who", "now", "fit", "calls", "report"})
"""Last words of commands that return data."""
_NAMES = frozenset({"column", "columns"})
"""Tables of the catalogue that name columns."""
_PARAMETER = "as_json"


def returns_data(name: str) -> bool:
    """Return whether a command returns data: it can print JSON."""
    return name.rpartition(" ")[2] in _READS or COMMAND_ACTIONS.get(name, "").endswith(".read")


def add_json(app: typer.Typer) -> None:
    """Give `--json` to every command that returns data, unless it has one."""
    for name, command in commands(app):
        parameters = inspect.signature(command.callback).parameters
        if returns_data(name) and _PARAMETER not in parameters:
            command.callback = _with_json(command.callback)


def _with_json(run: Callable[..., Any]) -> Callable[..., Any]:
    option = Annotated[bool, typer.Option("--json", help=t("issues.cli.json"))]

    @wraps(run)
    def both(*args: Any, as_json: bool = False, **words: Any) -> Any:
        return _print_json(run, *args, **words) if as_json else run(*args, **words)

    old = inspect.signature(run, eval_str=True)
    new = inspect.Parameter(
        _PARAMETER, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=option
    )
    both.__signature__ = old.replace(  # type: ignore[attr-defined]
        parameters=[*old.parameters.values(), new]
    )
    both.__annotations__ = {
        **{p.name: p.annotation for p in old.parameters.values()},
        _PARAMETER: option,
    }
    return both


def _print_json(run: Callable[..., Any], *args: Any, **words: Any) -> Any:
    tables: list[Table] = []
    text = StringIO()
    token = captured_tables.set(tables)
    try:
        with redirect_stdout(text):
            result = run(*args, **words)
    finally:
        captured_tables.reset(token)
    rows = [row for table in tables for row in _rows(table)]
    data = {"rows": rows, "lines": text.getvalue().splitlines()}
    sys.stdout.write(json.dumps(data, ensure_ascii=False) + "\n")
    return result


def _rows(table: Table) -> list[dict[str, str]]:
    names = [column_name(str(column.header)) for column in table.columns]
    cells = [[str(cell) for cell in column.cells] for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]


def column_name(heading: str) -> str:
    """Return the name of a column in the catalogue, or its heading if it has none there."""
    return _names().get(heading, heading)


@cache
def _names() -> dict[str, str]:
    found: dict[str, str] = {}
    for language in LANGUAGES:
        for file in sorted(
            (files("guardia") / "locale" / language).iterdir(), key=lambda f: f.name
        ):
            if file.name.endswith(".toml"):
                _collect(catalogue(language, file.name.removesuffix(".toml")), found)
    return found


def _collect(texts: dict[str, Any], found: dict[str, str], *, inside: bool = False) -> None:
    for name, text in texts.items():
        if isinstance(text, dict):
            _collect(text, found, inside=inside or name in _NAMES)
        elif inside:
            found.setdefault(text, name)
