"""`guardia server`: the servers of the CMDB."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from guardia.cli import server_add, server_checks, server_env, server_import
from guardia.cli.console import console
from guardia.cli.operator import CLI_OPERATOR
from guardia.cli.text_files import read_text
from guardia.errors import Invalid
from guardia.i18n import t

if TYPE_CHECKING:
    from guardia.org.directory import Host

app = typer.Typer(no_args_is_help=True)
app.command("add", help=t("cli.server.add"))(server_add.add)
app.command("probe", help=t("cli.server.probe"))(server_checks.probe)
app.command("check", help=t("cli.server.check"))(server_checks.check)
app.command("sudoers", help=t("cli.server.sudoers"))(server_checks.sudoers)
app.command("confirm-key", help=t("cli.server.confirm_key"))(server_checks.confirm_key)
server_import.register(app)

_Id = Annotated[str, typer.Argument(help=t("cli.server.id"))]
_Json = Annotated[bool, typer.Option("--json", help=t("cli.json"))]


@app.command("list", help=t("cli.server.list"))
def list_servers(
    institution: Annotated[
        str, typer.Option("--institution", help=t("cli.server.institution"))
    ] = "",
    kind: Annotated[str, typer.Option("--kind", help=t("cli.server.kind"))] = "",
    text: Annotated[str, typer.Option("--text", help=t("cli.server.text"))] = "",
    blocked: Annotated[bool, typer.Option("--blocked", help=t("cli.server.blocked"))] = False,
    after: Annotated[str | None, typer.Option("--after", help=t("cli.server.after"))] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 50,
    as_json: _Json = False,
) -> None:
    """List servers by id, a page at a time."""
    from guardia.board.cmdb import server_list

    wanted = server_list.ServerFilter(institution, kind, text, blocked)
    with server_env.open_board() as board:
        page = server_list.servers(board, CLI_OPERATOR, wanted, after=after, size=limit)
    if as_json:
        rows = [{**as_plain(host), "institution_name": name} for host, name in page.rows]
        server_env.print_json({"servers": rows, "after": page.after, "total": page.total})
        return
    columns = ("id", "institution", "kind", "address", "os", "services", "state")
    table = Table(*(t(f"cli.server.column.{c}") for c in columns))
    for host, name in page.rows:
        table.add_row(
            host.server_id,
            name,
            host.kind,
            f"{host.address}:{host.port}",
            f"{host.facts.os} {host.facts.os_version}".strip() or "-",
            ", ".join(s.name for s in host.services) or "-",
            t("cli.server.state.blocked" if host.blocked else "cli.server.state.ready"),
        )
    console().print(table)
    console().print(t("cli.server.total", total=page.total))
    if page.after:
        console().print(t("cli.server.more", after=page.after))


@app.command("show", help=t("cli.server.show"))
def show(server: _Id, as_json: _Json = False) -> None:
    """Print everything that the CMDB knows of a server."""
    from guardia.board.cmdb import server_list

    with server_env.open_board() as board:
        host, name = server_list.server(board, CLI_OPERATOR, server)
    if as_json:
        server_env.print_json({**as_plain(host), "institution_name": name})
        return
    server_checks.print_host(host, name)


@app.command("edit", help=t("cli.server.edit"))
def edit(
    server: _Id,
    institution: Annotated[
        str | None, typer.Option("--institution", help=t("cli.server.institution"))
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", help=t("cli.server.kind"))] = None,
    address: Annotated[str | None, typer.Option("--address", help=t("cli.server.address"))] = None,
    port: Annotated[int | None, typer.Option("--port", help=t("cli.server.port"))] = None,
    account: Annotated[str | None, typer.Option("--account", help=t("cli.server.account"))] = None,
    credential: Annotated[
        str | None, typer.Option("--credential", help=t("cli.server.credential"))
    ] = None,
    alias: Annotated[list[str] | None, typer.Option("--alias", help=t("cli.server.alias"))] = None,
    service: Annotated[
        list[str] | None, typer.Option("--service", help=t("cli.server.service"))
    ] = None,
    services: Annotated[
        Path | None, typer.Option("--services", help=t("cli.server.services_file"))
    ] = None,
    drop_service: Annotated[
        list[str] | None, typer.Option("--drop-service", help=t("cli.server.drop_service"))
    ] = None,
    login: Annotated[str | None, typer.Option("--login", help=t("cli.server.login"))] = None,
    as_json: _Json = False,
) -> None:
    """Change fields or services of a server."""
    from guardia.board.cmdb import server_list, servers

    given = {
        "institution": institution,
        "kind": kind,
        "address": address,
        "port": port,
        "account": account,
        "credential": credential,
        "aliases": tuple(alias) if alias is not None else None,
    }
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with server_env.open_board() as board:
        host, _ = server_list.server(board, CLI_OPERATOR, server)
        if login is not None:
            changes["login"] = {**host.login.model_dump(), **_object(login, "--login")}
        if service or services or drop_service:
            written = [_object(one, "--service") for one in service or ()]
            changes["services"] = changed_services(
                host, [*read_services(services), *written], drop_service or ()
            )
        try:
            changed = servers.edit(
                board, CLI_OPERATOR, server, changes, seen=servers.version_of(host)
            )
        except ValueError as error:
            raise Invalid(what=server, why=_first_line(error)) from error
    if as_json:
        server_env.print_json({"server": server, "changed": list(changed)})
        return
    key = "cli.server.changed" if changed else "cli.server.same"
    server_env.print_line(key, {"id": server, "what": ", ".join(changed)})


@app.command("remove", help=t("cli.server.remove"))
def remove(
    server: _Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=t("cli.server.yes"))] = False,
) -> None:
    """Remove a server; its issues and the audit log stay."""
    from guardia.board.cmdb import servers

    if not yes:
        typer.confirm(t("cli.server.really", id=server), abort=True)
    with server_env.open_board() as board:
        servers.remove(board, CLI_OPERATOR, server)
    server_env.print_line("cli.server.removed", {"id": server})


def changed_services(
    host: Host, given: list[dict[str, Any]], dropped: list[str] | tuple[str, ...]
) -> list[dict[str, Any]]:
    """Return the services of a server with the given fields set, by name, and some left out."""
    merged = {s.name: s.model_dump() for s in host.services}
    for name in dropped:
        if merged.pop(name, None) is None:
            raise Invalid(what=name, why=t("cli.server.no_service"))
    for fields in given:
        name = str(fields.get("name", ""))
        merged[name] = {**merged.get(name, {}), **fields}
    return list(merged.values())


def read_services(file: Path | None) -> list[dict[str, Any]]:
    """Return the services of a YAML or JSON file: a list of objects."""
    if file is None:
        return []
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    text = read_text(file)
    try:
        found = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise Invalid(what=str(file), why=t("cli.server.services_form")) from error
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Invalid(what=str(file), why=t("cli.server.services_form"))
    return found


def as_plain(host: Host) -> dict[str, Any]:
    """Return a server as JSON, with the fingerprint of its key."""
    from guardia.org import host_key

    shown = host.model_dump(mode="json")
    shown["fingerprint"] = host_key.fingerprint(host.host_key) if host.host_key else ""
    return shown


def _object(text: str, option: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Invalid(what=option, why=t("cli.server.object"))
    return found


def _first_line(error: Exception) -> str:
    from pydantic import ValidationError

    from guardia.board.cmdb.changes import problem_of

    if isinstance(error, ValidationError):
        found = problem_of(0, error.errors()[0])
        return f"{found.what}. {found.remedy}"
    return str(error)
