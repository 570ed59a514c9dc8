"""`guardia init`: database, keys, org chart and administrator of a new installation.

Each step is done once: what is there stays as it is, and a second run says so.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guardia.cli import server_env
from guardia.cli.installation import Installation, migrate, open_installation
from guardia.cli.operator import CLI_OPERATOR
from guardia.errors import Missing
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.core.context import BoardContext

_DEFAULT_ACCOUNT = "admin"


@dataclass(frozen=True, slots=True)
class _Step:
    """One part of an installation, and what it is now."""

    key: str
    changed: bool
    what: str


def init(
    admin: Annotated[str | None, typer.Option("--admin", help=t("cli.init.admin"))] = None,
    name: Annotated[str | None, typer.Option("--name", help=t("cli.init.name"))] = None,
    chart: Annotated[Path | None, typer.Option("--chart", help=t("cli.init.chart"))] = None,
    as_json: Annotated[bool, typer.Option("--json", help=t("cli.json"))] = False,
) -> None:
    """Set up this installation."""
    settings = Settings()
    steps: list[_Step] = []
    with open_installation(settings) as installation:
        steps.append(_prepare_database(installation, settings))
        known = set(server_env.credential_store().names())
        with installation.board() as board:
            steps.append(_apply_chart(board, chart))
            steps.append(_add_administrator(board, admin, name))
            board.sign_checkpoint()
            steps.append(_keys(known))
    if as_json:
        server_env.print_json(
            {step.key: {"changed": step.changed, "what": step.what} for step in steps}
        )
        return
    for step in steps:
        state = t(f"cli.init.{'created' if step.changed else 'kept'}")
        words = {"part": t(f"cli.init.part.{step.key}"), "state": state, "what": step.what}
        server_env.print_line("cli.init.line", words)
    changed = any(step.changed for step in steps)
    server_env.print_line("cli.init.done" if changed else "cli.init.nothing")


def _prepare_database(installation: Installation, settings: Settings) -> _Step:
    from guardia.db import revision

    dsn = installation.owner_dsn or installation.app_dsn
    before = revision.current(dsn)
    migrate(installation)
    after = revision.current(dsn)
    place = t("cli.init.external") if settings.dsn is not None else str(settings.postgres)
    return _Step("database", before != after, f"{place} ({after})")


def _keys(known: set[str]) -> _Step:
    names = set(server_env.credential_store().names())
    return _Step("keys", bool(names - known), ", ".join(sorted(names)) or "-")


def _apply_chart(board: BoardContext, file: Path | None) -> _Step:
    from guardia.board.organization import chart as charts
    from guardia.cli.chart_file import read_chart_file

    if charts.has_chart(board):
        return _Step("chart", False, str(charts.running_text(board)[0]))
    read = read_chart_file(file)
    return _Step("chart", True, str(charts.apply_chart(board, read.text, CLI_OPERATOR)))


def _add_administrator(board: BoardContext, admin: str | None, name: str | None) -> _Step:
    from guardia.board.accounts import people
    from guardia.org.directory import PersonInfo

    accounts = {found.person.id: found for found in people.list_accounts(board)}
    admins = [a.person.id for a in accounts.values() if a.active and a.person.role == "admin"]
    if admins and (admin is None or admin in admins):
        return _Step("admin", False, admin or ", ".join(admins))
    account = server_env.ask(admin, "cli.init.admin", default=_DEFAULT_ACCOUNT)
    person = PersonInfo(
        id=account,
        name=server_env.ask(name, "cli.init.name", default=t("cli.init.default_name")),
        title="",
        role="admin",
    )
    people.add(board, CLI_OPERATOR, person, _password(account))
    return _Step("admin", True, account)


def _password(account: str) -> str:
    if given := os.environ.get("GUARDIA_PASSWORD"):
        return given
    if not server_env.is_interactive():
        raise Missing(what=t("cli.init.password"))
    text = t("cli.account.password", who=account)
    return str(typer.prompt(text, hide_input=True, confirmation_prompt=True))
