"""`guardia queue` and `guardia assign`: who has an issue, and who takes it."""

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
from guardia.cli.issue import parse_issue_number
from guardia.errors import NotFound
from guardia.i18n import t
from guardia.settings import Settings

app = typer.Typer(no_args_is_help=True)

_Number = Annotated[str, typer.Argument(help=t("assignment.cli.number"))]
_Reason = Annotated[str, typer.Option("--reason", help=t("assignment.cli.reason"))]
_Json = Annotated[bool, typer.Option("--json", help=t("assignment.cli.json"))]
_Limit = Annotated[int, typer.Option("--limit", min=1, max=200, help=t("assignment.cli.limit"))]


@app.callback()
def queue() -> None:
    """Group the commands about unassigned issues and proposals."""


@app.command("list", help=t("assignment.cli.list"))
def list_(
    before: Annotated[int | None, typer.Option("--before", help=t("assignment.cli.before"))] = None,
    limit: _Limit = 25,
    as_json: _Json = False,
) -> None:
    """Print the unassigned issues, the newest first."""
    from guardia.board.assignment import view
    from guardia.board.core.keyset import Keyset

    with open_installation(Settings()) as installation, installation.board() as board:
        found = view.list_queue(board, None, Keyset(before=before, size=limit))
    if as_json:
        rows = [{**asdict(r), "queued_at": r.queued_at.isoformat()} for r in found.rows]
        sys.stdout.write(
            json.dumps({"rows": rows, "older": found.older}, ensure_ascii=False) + "\n"
        )
        return
    if not found.rows:
        sys.stdout.write(t("assignment.queue.empty") + "\n")
        return
    table = Table()
    for name in ("issue", "why", "owner"):
        table.add_column(t(f"assignment.queue.{name}"), overflow="fold")
    for row in found.rows:
        owner = " ".join(part for part in (row.team, row.owner, f"({row.owner_reason})") if part)
        table.add_row(f"{issue_ref(row.sr_id)} {row.title}", row.why, owner)
    console().print(table, markup=False)
    if found.older:
        sys.stdout.write(t("assignment.cli.older", before=found.older) + "\n")


@app.command("fit", help=t("assignment.cli.fit"))
def fit(
    days: Annotated[
        int, typer.Option("--days", min=1, max=3650, help=t("assignment.cli.days"))
    ] = 30,
    as_json: _Json = False,
) -> None:
    """Print how the proposals of a period went."""
    from guardia.board.assignment import view

    with open_installation(Settings()) as installation, installation.board() as board:
        lines = view.fit_report(board, days)
    if as_json:
        found = {"days": days, "lines": [asdict(line) for line in lines]}
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
        return
    if not lines:
        sys.stdout.write(t("assignment.queue.none") + "\n")
        return
    names = ("proposed", "accepted", "declined", "lapsed", "reassigned", "delegated", "minutes")
    table = Table()
    table.add_column(t("assignment.queue.candidate"), overflow="fold")
    for name in names:
        table.add_column(t(f"assignment.queue.{name}"), justify="right")
    for line in lines:
        values = [getattr(line, name) for name in names]
        table.add_row(line.name, *("-" if v is None else str(v) for v in values))
    console().print(table, markup=False)


@app.command("take", help=t("assignment.cli.take"))
def take(number: _Number, who: As) -> None:
    """Take an issue over."""
    from guardia.board.assignment import queue as use_cases

    sr_id = parse_issue_number(number)
    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        use_cases.take(board, person, sr_id)
    _print_assigned(sr_id, f"{person.name} {person.title}".strip())


@app.command("accept", help=t("assignment.cli.accept"))
def accept(number: _Number, who: As) -> None:
    """Accept the proposal of an issue."""
    _answer(number, who, None)


@app.command("decline", help=t("assignment.cli.decline"))
def decline(number: _Number, who: As, reason: _Reason) -> None:
    """Decline the proposal of an issue with a reason."""
    _answer(number, who, reason)


def _answer(number: str, who: str, declined_because: str | None) -> None:
    from guardia.board.assignment import proposals, view

    sr_id = parse_issue_number(number)
    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        found = view.own_proposal(board, person, sr_id)
        if found is None:
            raise NotFound(what=t("assignment.cli.no_proposal"))
        name = f"{person.name} {person.title}".strip()
        if declined_because is None:
            proposals.accept(board, person, found)
            _print_assigned(sr_id, name)
            return
        proposals.decline(board, person, found, declined_because)
    sys.stdout.write(t("assignment.declined", sr=sr_id, who=name) + "\n")


@app.command("answer", help=t("assignment.cli.answer"))
def answer(
    number: _Number, text: Annotated[str, typer.Argument(help=t("assignment.cli.text"))], who: As
) -> None:
    """Answer the question which server is meant."""
    from guardia.board.assignment import questions

    sr_id = parse_issue_number(number)
    with open_installation(Settings()) as installation, installation.board() as board:
        said = questions.answer(board, authenticate(board, who), sr_id, text)
    sys.stdout.write(said + "\n")


@app.command("link", help=t("assignment.cli.link"))
def link(
    number: _Number, main: Annotated[str, typer.Argument(help=t("assignment.cli.main"))], who: As
) -> None:
    """Link an issue to another one as a report."""
    from guardia.board.assignment import reports

    sr_id, main_id = parse_issue_number(number), parse_issue_number(main)
    with open_installation(Settings()) as installation, installation.board() as board:
        reports.link(board, authenticate(board, who), sr_id, main_id)
    sys.stdout.write(t("assignment.report.main", main=issue_ref(main_id)) + "\n")


@app.command("unlink", help=t("assignment.cli.unlink"))
def unlink(number: _Number, who: As) -> None:
    """Undo the link of a report."""
    from guardia.board.assignment import reports

    sr_id = parse_issue_number(number)
    with open_installation(Settings()) as installation, installation.board() as board:
        reports.unlink(board, authenticate(board, who), sr_id)
    sys.stdout.write(t("assignment.report.unlinked", sr=sr_id) + "\n")


def assign(
    number: _Number,
    target: Annotated[str, typer.Argument(help=t("assignment.cli.target"))],
    who: As,
    reason: _Reason = "",
) -> None:
    """Assign an issue to a person or a team."""
    from guardia.board.assignment import queue as use_cases

    sr_id = parse_issue_number(number)
    with open_installation(Settings()) as installation, installation.board() as board:
        name = use_cases.assign(board, authenticate(board, who), sr_id, target, reason)
    _print_assigned(sr_id, name)


def _print_assigned(sr_id: int, name: str) -> None:
    sys.stdout.write(t("assignment.cli.assigned", sr=sr_id, who=name) + "\n")
