"""`guardia list`: the issues that a filter finds, as on the page of the list."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from guardia.board.core.issue_ref import issue_ref
from guardia.cli.account import authenticate
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.cli.operator_view import OPERATOR_VIEWER
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.core.context import BoardContext
    from guardia.board.tracker.issue_list import Count, IssueList, IssueQuery, IssueRow
    from guardia.org.directory import PersonInfo

_Words = Annotated[list[str] | None, typer.Argument(help=t("issues.cli.words"))]
_State = Annotated[str, typer.Option("--state", help=t("issues.cli.state"))]
_Limit = Annotated[int, typer.Option("--limit", min=1, max=200, help=t("issues.cli.limit"))]
_Before = Annotated[str, typer.Option("--before", help=t("issues.cli.before"))]
_Who = Annotated[str, typer.Option("--as", help=t("issues.cli.as"))]
_Json = Annotated[bool, typer.Option("--json", help=t("issues.cli.json"))]
_HEADS = ("number", "status", "priority", "title", "server", "engineer", "updated")
_STATES = ("", "open", "closed", "all")


def list_issues(
    words: _Words = None,
    state: _State = "",
    limit: _Limit = 25,
    before: _Before = "",
    who: _Who = "",
    as_json: _Json = False,
) -> None:
    """Print the issues that a filter finds, a page at a time."""
    from guardia.board.tracker.issue_list import IssueQuery

    if state not in _STATES:
        raise Invalid(what=f"--state {state}", why=", ".join(_STATES[1:]))
    query = IssueQuery(state, " ".join(words or ()), before or None, size=limit)  # type: ignore[arg-type]
    with open_installation(Settings()) as installation, installation.board() as board:
        viewer = authenticate(board, who) if who else OPERATOR_VIEWER
        found, count = _read(board, viewer, query)
    if found.problems:
        why = " ".join(
            t(f"issues.problem.{one.name}", written=one.written, **one.words)
            for one in found.problems
        )
        raise Invalid(what=t("issues.filter"), why=why)
    if as_json:
        _print_json(found, count)
    else:
        _print_table(found, count)


def _read(
    board: BoardContext, viewer: PersonInfo, query: IssueQuery
) -> tuple[IssueList, Count | None]:
    from guardia.board.tracker import issue_list

    found = issue_list.list_issues(board, viewer, query)
    return found, issue_list.count_found(board, viewer, query)


def as_data(row: IssueRow) -> dict[str, Any]:
    """Return an issue of the list as JSON holds it."""
    return {"number": row.sr_id, **{k: v for k, v in asdict(row).items() if k != "sr_id"}}


def _print_json(found: IssueList, count: Count | None) -> None:
    data = {
        "issues": [as_data(row) for row in found.rows],
        "total": count.number if count else 0,
        "total_is_exact": count is None or count.is_exact,
        "next": found.older,
    }
    sys.stdout.write(json.dumps(data, ensure_ascii=False, default=_plain) + "\n")


def _plain(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def _print_table(found: IssueList, count: Count | None) -> None:
    from guardia.board.core.labels import format_time

    if not found.rows:
        sys.stdout.write(t("issues.cli.none") + "\n")
        return
    table = Table(*(t(f"issues.cli.column.{name}") for name in _HEADS))
    for row in found.rows:
        table.add_row(
            issue_ref(row.sr_id),
            t(f"state.{row.status}"),
            row.priority or "-",
            row.title,
            ", ".join(row.servers) or "-",
            row.engineer or "-",
            format_time(row.updated_at),
        )
    console().print(table)
    sys.stdout.write(t("issues.cli.total", count=count, shown=len(found.rows)) + "\n")
    if found.older:
        sys.stdout.write(t("issues.cli.next", cursor=found.older) + "\n")
