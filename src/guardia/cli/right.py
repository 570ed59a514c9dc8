"""`guardia right`: requests of rights that need a second person, their history, the review."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.table import Table

from guardia.cli.account import As, authenticate
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.cli.operator import CLI_OPERATOR
from guardia.i18n import t
from guardia.settings import Settings

app = typer.Typer(no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help=t("cli.json"))]
_Number = Annotated[int, typer.Argument(help=t("accounts.cli.number"), min=1)]


@app.command("list", help=t("accounts.cli.list"))
def list_requests(as_json: _Json = False) -> None:
    """Print the requests that wait, and those decided last."""
    from guardia.board.accounts import people_view

    with open_installation(Settings()) as installation, installation.board() as board:
        waiting, past, _ = people_view.requests_page(board, CLI_OPERATOR)
    fields = ("request_id", "kind", "person_id", "subject", "state", "requested_by", "decided_by")
    rows = [
        {name: getattr(row.request, name) for name in fields}
        | {"requested_at": row.request.requested_at.isoformat()}
        for row in (*waiting, *past)
    ]
    _print(rows, fields, as_json=as_json)


@app.command("allow", help=t("accounts.cli.allow"))
def allow(
    number: _Number,
    who: As,
    note: Annotated[str, typer.Option("--note", help=t("accounts.request.note"))] = "",
) -> None:
    """Allow a request, as another person than the one who asks or gains."""
    _decide(number, who, allow=True, note=note)


@app.command("refuse", help=t("accounts.cli.refuse"))
def refuse(
    number: _Number,
    who: As,
    note: Annotated[str, typer.Option("--note", help=t("accounts.request.note"))],
) -> None:
    """Refuse a request, with the reason."""
    _decide(number, who, allow=False, note=note)


def _decide(number: int, who: str, *, allow: bool, note: str) -> None:
    from guardia.board.accounts import right_decisions

    with open_installation(Settings()) as installation, installation.board() as board:
        right_decisions.decide(board, authenticate(board, who), number, allow=allow, note=note)
    verdict = t("rights.verdict.allowed" if allow else "rights.verdict.refused")
    sys.stdout.write(t("accounts.cli.decided", number=number, verdict=verdict) + "\n")


@app.command("history", help=t("accounts.cli.history"))
def history(
    person: Annotated[str, typer.Argument(help=t("cli.person.id"))] = "",
    before: Annotated[int | None, typer.Option("--before", min=1)] = None,
    as_json: _Json = False,
) -> None:
    """Print the history of everyone's or one person's rights, newest first."""
    from guardia.board.core.keyset import Keyset
    from guardia.board.rights import history as rights_history

    with open_installation(Settings()) as installation, installation.board() as board:
        page = Keyset(before=before, size=100)
        found = rights_history.changes(board, CLI_OPERATOR, page, person)
    fields = (
        "change_id",
        "person_id",
        "kind",
        "before",
        "after",
        "made_by",
        "decided_by",
        "reason",
    )
    rows = [
        {name: getattr(row, name) for name in fields} | {"made_at": row.made_at.isoformat()}
        for row in found.rows
    ]
    _print(rows, fields, as_json=as_json)


@app.command("review", help=t("accounts.cli.review"))
def review(
    who: As,
    person: Annotated[str, typer.Argument(help=t("cli.person.id"))] = "",
    revoke: Annotated[str, typer.Option("--revoke", help=t("accounts.review.note"))] = "",
    as_json: _Json = False,
) -> None:
    """Confirm a person's rights or revoke them; without a person, print who is left."""
    from guardia.board.accounts import reviews

    with open_installation(Settings()) as installation, installation.board() as board:
        reviewer = authenticate(board, who)
        if person:
            reviews.review(board, reviewer, person, confirm=not revoke, note=revoke)
        found = reviews.open_reviews(board, reviewer)
    words = {"done": found.done, "total": found.total}
    if not as_json:
        sys.stdout.write(t("accounts.review.progress", **words) + "\n")
    rows = [
        {"person": r.person.id, "name": r.person.name, "role": r.person.role} for r in found.rows
    ]
    _print(rows, ("person", "name", "role"), as_json=as_json)


def _print(rows: list[dict[str, Any]], fields: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
        return
    table = Table(*(t(f"accounts.cli.column.{name}") for name in fields))
    for row in rows:
        table.add_row(*("-" if row[name] is None else str(row[name]) for name in fields))
    console().print(table)
