"""`guardia webhook`: where changes of issues are sent, and the log of deliveries."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.cli.operator import CLI_OPERATOR
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.core.context import BoardContext
    from guardia.org.credential_store import FileCredentialStore

app = typer.Typer(no_args_is_help=True)
_Number = Annotated[int, typer.Argument(help=t("webhooks.cli.number"))]
_Json = Annotated[bool, typer.Option("--json", help=t("webhooks.cli.json"))]
_SHOWN = 50


@contextmanager
def _opened() -> Iterator[tuple[BoardContext, FileCredentialStore]]:
    from guardia.org.credential_store import FileCredentialStore

    settings = Settings()
    with open_installation(settings) as installation, installation.board() as board:
        yield board, FileCredentialStore(settings.secrets)


@app.command("list", help=t("webhooks.cli.list"))
def list_hooks(as_json: _Json = False) -> None:
    """Print all webhooks."""
    from guardia.board.webhooks import policy, view

    with _opened() as (board, _):
        found = [
            {
                "number": one.hook_id,
                "url": policy.shown_url(one.url),
                "events": one.events,
                "institution": one.inst_id,
                "server": one.server_id,
                "active": one.active,
                "failures": one.failures,
            }
            for one in view.list_hooks(board, CLI_OPERATOR)
        ]
    _print(found, ("number", "url", "events", "institution", "state"), _hook_cells, as_json)


def _hook_cells(one: dict[str, Any]) -> tuple[str, ...]:
    state = t(f"webhooks.state.{'active' if one['active'] else 'inactive'}")
    place = one["server"] or one["institution"] or t("webhooks.everywhere")
    return str(one["number"]), one["url"], ", ".join(one["events"]), place, state


@app.command("add", help=t("webhooks.cli.add"))
def add(
    url: Annotated[str, typer.Argument(help=t("webhooks.cli.url"))],
    event: Annotated[
        list[str] | None, typer.Option("--event", help=t("webhooks.cli.event"))
    ] = None,
    institution: Annotated[
        str, typer.Option("--institution", help=t("webhooks.cli.institution"))
    ] = "",
    form: Annotated[bool, typer.Option("--form", help=t("webhooks.cli.form"))] = False,
) -> None:
    """Create a webhook and print its secret, this once."""
    from guardia.board.webhooks import hooks
    from guardia.board.webhooks.hooks import HookDraft

    draft = HookDraft(
        url=url,
        events=event or ["issues"],
        content_type="form" if form else "json",
        institution=institution or None,
    )
    with _opened() as (board, keys):
        number, secret = hooks.create(board, keys, CLI_OPERATOR, draft)
    console(stderr=True).print(t("webhooks.cli.added", number=number))
    sys.stdout.write(secret + "\n")


@app.command("show", help=t("webhooks.cli.show"))
def show(number: _Number, as_json: _Json = False) -> None:
    """Print the latest deliveries of a webhook."""
    from guardia.board.core.keyset import Keyset
    from guardia.board.webhooks import view

    with _opened() as (board, _):
        view.get_hook(board, CLI_OPERATOR, number)
        page = view.list_deliveries(board, CLI_OPERATOR, number, Keyset(size=_SHOWN))
    found = [
        {
            "number": one.delivery_id,
            "at": one.created_at.isoformat(),
            "event": f"{one.event} {one.action or ''}".strip(),
            "sr": one.sr_id,
            "state": one.state,
            "status": one.status_code,
            "error": one.error,
            "attempts": one.attempts,
        }
        for one in page.rows
    ]
    _print(found, ("number", "at", "event", "state", "answer", "attempts"), _cells, as_json)


def _cells(one: dict[str, Any]) -> tuple[str, ...]:
    from guardia.board.core.labels import to_seoul_time

    state = t(f"webhooks.delivery.{one['state']}")
    answer = str(one["status"] or one["error"] or "-")
    at, attempts = to_seoul_time(one["at"]), str(one["attempts"])
    return str(one["number"]), at, one["event"], state, answer, attempts


def _print(found: list[dict[str, Any]], heads: tuple[str, ...], cells: Any, as_json: bool) -> None:
    from rich.table import Table

    if as_json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
        return
    names = {"events": "webhooks.field.events", "institution": "webhooks.field.institution"}
    table = Table(*(t(names.get(name, f"webhooks.column.{name}")) for name in heads))
    for one in found:
        table.add_row(*cells(one))
    console().print(table)


@app.command("ping", help=t("webhooks.cli.ping"))
def ping(number: _Number) -> None:
    """Send a ping."""
    from guardia.board.webhooks import hooks

    with _opened() as (board, _):
        hooks.ping(board, CLI_OPERATOR, number)
    sys.stdout.write(t("webhooks.cli.done") + "\n")


@app.command("redeliver", help=t("webhooks.cli.again"))
def redeliver(
    number: _Number, delivery: Annotated[int, typer.Argument(help=t("webhooks.cli.delivery"))]
) -> None:
    """Send a delivery again."""
    from guardia.board.webhooks import hooks

    with _opened() as (board, _):
        hooks.redeliver(board, CLI_OPERATOR, number, delivery)
    sys.stdout.write(t("webhooks.cli.done") + "\n")


@app.command("enable", help=t("webhooks.cli.enable"))
def enable(number: _Number) -> None:
    """Enable a webhook."""
    _set_active(number, active=True)


@app.command("disable", help=t("webhooks.cli.disable"))
def disable(number: _Number) -> None:
    """Disable a webhook."""
    _set_active(number, active=False)


def _set_active(number: int, *, active: bool) -> None:
    from guardia.board.webhooks import hooks, view
    from guardia.board.webhooks.hooks import HookDraft

    with _opened() as (board, keys):
        row = view.get_hook(board, CLI_OPERATOR, number)
        draft = HookDraft(
            row.url, row.events, row.content_type, row.inst_id, row.server_id, active=active
        )
        hooks.change(board, keys, CLI_OPERATOR, number, draft)
    sys.stdout.write(t("webhooks.cli.done") + "\n")


@app.command("remove", help=t("webhooks.cli.remove"))
def remove(
    number: _Number,
    yes: Annotated[bool, typer.Option("--yes", help=t("webhooks.cli.yes"))] = False,
) -> None:
    """Remove a webhook after a question."""
    from guardia.board.webhooks import hooks

    if not yes:
        typer.confirm(t("webhooks.confirm_remove"), abort=True)
    with _opened() as (board, keys):
        hooks.remove(board, keys, CLI_OPERATOR, number)
    sys.stdout.write(t("webhooks.cli.done") + "\n")
