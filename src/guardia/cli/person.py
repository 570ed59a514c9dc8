"""`guardia person`: people's accounts, the humans behind them, and their messenger accounts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.cli.operator import CLI_OPERATOR
from guardia.cli.text_files import read_text
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.accounts.people import AccountOutcome
    from guardia.board.core.context import BoardContext
    from guardia.org.directory import PersonInfo

app = typer.Typer(no_args_is_help=True)
_Id = Annotated[str, typer.Argument(help=t("cli.person.id"))]
_Role = Annotated[str, typer.Argument(help=t("cli.person.role"))]


@contextmanager
def _open_board() -> Iterator[BoardContext]:
    with open_installation(Settings()) as installation, installation.board() as board:
        yield board


def _print_result(key: str, **words: object) -> None:
    sys.stdout.write(t(f"cli.person.{key}", **words) + "\n")


@app.command("list", help=t("cli.person.list"))
def list_accounts(
    as_json: Annotated[bool, typer.Option("--json", help=t("cli.json"))] = False,
) -> None:
    """Print all accounts, those of one human together."""
    from guardia.board.accounts import people

    if as_json:
        with _open_board() as board:
            found_json = [
                found.person.model_dump(mode="json", exclude={"allowed_actions"})
                | {"active": found.active, "messengers": found.messengers}
                for found in people.list_accounts(board)
            ]
        sys.stdout.write(json.dumps(found_json, ensure_ascii=False) + "\n")
        return

    heads = ("id", "name", "role", "institution", "identity", "messengers", "state")
    table = Table(*(t(f"cli.person.column.{name}") for name in heads))
    with _open_board() as board:
        for found in people.list_accounts(board):
            p = found.person
            name = f"{p.name} {p.title}".strip()
            state = t("cli.person.open") if found.active else t("cli.person.closed")
            row = (p.id, name, t(f"org.role.{p.role}"), p.institution, p.identity)
            table.add_row(*(cell or "-" for cell in row), "\n".join(found.messengers) or "-", state)
    console().print(table)


@app.command("add", help=t("cli.person.add"))
def add(
    account: _Id,
    *,
    name: Annotated[str, typer.Option("--name", help=t("cli.person.name"))],
    role: Annotated[str, typer.Option("--role", help=t("cli.person.role"))],
    title: Annotated[str, typer.Option("--title", help=t("cli.person.title"))] = "",
    institution: Annotated[str, typer.Option("--institution", help=t("cli.person.inst"))] = "",
    identity: Annotated[str, typer.Option("--identity", help=t("cli.person.identity"))] = "",
    skills: Annotated[list[str] | None, typer.Option("--skill", help=t("cli.person.skill"))] = None,
    one_time: Annotated[bool, typer.Option("--one-time", help=t("accounts.cli.one_time"))] = False,
) -> None:
    """Create an account; prompts for its password unless a one-time password is made."""
    from guardia.board.accounts import people
    from guardia.org.directory import PersonInfo

    person = PersonInfo(
        id=account,
        name=name,
        title=title,
        role=role,
        skills=tuple(skills or ()),
        institution=institution or None,
        identity=identity or None,
    )
    with _open_board() as board:
        password = None if one_time else _ask_new_password(account)
        made = people.add(board, CLI_OPERATOR, person, password, one_time=one_time)
    _print_result("added", id=account)
    _print_outcome(made)


@app.command("load", help=t("cli.person.load"))
def load(file: Annotated[Path, typer.Argument(help=t("cli.person.file"))]) -> None:
    """Import the people of a directory file: new accounts and changes of existing ones."""
    from guardia.board.accounts import people

    named = _read_people(file)
    with _open_board() as board:
        _print_result(
            "loaded", count=people.import_people(board, CLI_OPERATOR, named), all=len(named)
        )


@app.command("role", help=t("cli.person.set_role"))
def role(account: _Id, role: _Role) -> None:
    """Change an account's role."""
    from guardia.board.accounts import people

    with _open_board() as board:
        made = people.set_role(board, CLI_OPERATOR, account, role)
    _print_changed(account, made)


@app.command("deactivate", help=t("cli.person.deactivate"))
def deactivate(account: _Id) -> None:
    """Close an account at once."""
    _set_active(account, active=False)


@app.command("activate", help=t("cli.person.activate"))
def activate(account: _Id) -> None:
    """Reopen a closed account."""
    _set_active(account, active=True)


def _set_active(account: str, *, active: bool) -> None:
    from guardia.board.accounts import people

    with _open_board() as board:
        made = people.set_active(board, CLI_OPERATOR, account, active=active)
    _print_changed(account, made)


@app.command("lock", help=t("accounts.cli.lock"))
def lock(
    account: _Id,
    reason: Annotated[str, typer.Option("--reason", help=t("cli.issue.reason"))] = "",
) -> None:
    """Lock an account until it is unlocked."""
    _set_locked(account, locked=True, reason=reason)


@app.command("unlock", help=t("accounts.cli.unlock"))
def unlock(account: _Id) -> None:
    """Unlock an account, also after failed sign-ins."""
    _set_locked(account, locked=False)


def _set_locked(account: str, *, locked: bool, reason: str = "") -> None:
    from guardia.board.accounts import people

    with _open_board() as board:
        people.set_locked(board, CLI_OPERATOR, account, locked=locked, reason=reason)
    _print_result("changed", id=account)


def _print_changed(account: str, made: AccountOutcome) -> None:
    if made.request is None:
        _print_result("changed", id=account)
    _print_outcome(made)


def _print_outcome(made: AccountOutcome) -> None:
    """Print what waits for a second person, and a one-time password."""
    if made.request is not None:
        sys.stdout.write(t("accounts.cli.waits", number=made.request) + "\n")
    if made.password:
        sys.stdout.write(t("accounts.cli.once", password=made.password) + "\n")


@app.command("link", help=t("cli.person.link"))
def link(
    account: _Id,
    other: Annotated[str, typer.Argument(help=t("cli.person.other"))],
) -> None:
    """Record that two accounts belong to one human, or who owns a messenger account."""
    from guardia.board.accounts import messenger_links, people

    channel, colon, name = other.partition(":")
    with _open_board() as board:
        if colon:
            messenger_links.link(board, CLI_OPERATOR, account, channel, name)
            _print_result("linked", id=account, account=other)
            return
        human = people.join_accounts(board, CLI_OPERATOR, account, other)
        _print_result("joined", id=account, other=other, identity=human)


@app.command("unlink", help=t("cli.person.unlink"))
def unlink(other: Annotated[str, typer.Argument(help=t("cli.person.messenger"))]) -> None:
    """Remove the owner of a messenger account."""
    from guardia.board.accounts import messenger_links

    channel, _, name = other.partition(":")
    with _open_board() as board:
        messenger_links.unlink(board, CLI_OPERATOR, channel, name)
    _print_result("unlinked", account=other)


@app.command("identity", help=t("cli.person.set_identity"))
def identity(
    account: _Id,
    human: Annotated[str, typer.Argument(help=t("cli.person.identity"))] = "",
) -> None:
    """Record which human is behind an account; without one, the account is a human of its own."""
    from guardia.board.accounts import people

    with _open_board() as board:
        made = people.set_identity(board, CLI_OPERATOR, account, human or None)
    _print_changed(account, made)


@app.command("password", help=t("cli.person.password"))
def password(account: _Id) -> None:
    """Replace an account's password."""
    from guardia.board.accounts import people

    with _open_board() as board:
        people.set_password(board, CLI_OPERATOR, account, _ask_new_password(account))
    _print_result("changed", id=account)


def _ask_new_password(account: str) -> str:
    given = os.environ.get("GUARDIA_PASSWORD")
    if given:
        return given
    asked: str = typer.prompt(
        t("cli.account.password", who=account), hide_input=True, confirmation_prompt=True
    )
    return asked


def _read_people(file: Path) -> list[PersonInfo]:
    from pydantic import TypeAdapter, ValidationError
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    from guardia.org.directory import PersonInfo

    text = read_text(file)
    try:
        data = YAML(typ="safe", pure=True).load(text)
        return TypeAdapter(list[PersonInfo]).validate_python((data or {}).get("people"))
    except (YAMLError, AttributeError) as error:
        raise Invalid(what=str(file), why=t("cli.person.form")) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Invalid(what=f"{file}: people.{place}", why=t("cli.person.form")) from error
