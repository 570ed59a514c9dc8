"""`guardia server import|export|scan-keys`: many servers at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guardia.cli import change_report
from guardia.cli.change_report import DryRun, FileArgument, Output, SkipBad
from guardia.cli.console import console
from guardia.errors import Invalid
from guardia.i18n import t

if TYPE_CHECKING:
    from guardia.board.cmdb.imports.reading import ServerImport
    from guardia.board.core.context import BoardContext


def register(app: typer.Typer) -> None:
    """Add the commands to the group `server`."""
    app.command("import", help=t("roster.cli.server.import"))(import_servers)
    app.command("export", help=t("roster.cli.server.export"))(export_servers)
    app.command("scan-keys", help=t("roster.cli.server.scan"))(scan_keys)


def import_servers(
    file: FileArgument,
    dry_run: DryRun = False,
    skip_bad: SkipBad = False,
    form: Annotated[str, typer.Option("--format", help=t("roster.cli.server.format"))] = "",
    institution: Annotated[
        str, typer.Option("--institution", help=t("roster.cli.server.institution"))
    ] = "",
    kind: Annotated[str, typer.Option("--kind", help=t("roster.cli.server.kind"))] = "",
    known_hosts: Annotated[
        Path | None, typer.Option("--known-hosts", help=t("roster.cli.server.known_hosts"))
    ] = None,
    host_ca: Annotated[
        Path | None, typer.Option("--host-ca", help=t("roster.cli.server.host_ca"))
    ] = None,
    replace_keys: Annotated[
        bool, typer.Option("--replace-host-keys", help=t("roster.cli.server.replace_keys"))
    ] = False,
) -> None:
    """Import institutions and servers from CSV, Excel or an Ansible inventory."""
    from guardia.board.cmdb.imports import known_hosts as hosts
    from guardia.board.cmdb.imports.decoding import decode, read_file
    from guardia.board.cmdb.imports.inventory_folders import read_folders
    from guardia.board.cmdb.imports.reading import ServerImport, read_servers

    given = read_file(file)
    keys = hosts.read_known_hosts(decode(read_file(known_hosts))) if known_hosts else None
    authority = _authority(decode(read_file(host_ca))) if host_ca else ""
    with change_report.open_board() as board:
        how = ServerImport(
            form=form,
            keys=keys,
            host_ca=authority,
            replaces_keys=replace_keys,
            folders=read_folders(file),
        )
        how = _with_directory(board, how, institution, kind)
        changes = read_servers(given, how)
        change_report.run_import(board, changes, dry_run=dry_run, skip_bad=skip_bad)
        _print_unconfirmed(board)


def _with_directory(
    board: BoardContext, how: ServerImport, institution: str, kind: str
) -> ServerImport:
    """Return the options with what the CMDB knows: names of institutions, confirmed keys."""
    from dataclasses import replace

    from guardia.board.cmdb import view
    from guardia.board.cmdb.imports.ansible import InventoryDefaults
    from guardia.text import matching_form

    known = view.systems(board)
    names = {
        matching_form(word): i.id for i in known.institutions for word in (i.id, i.name, *i.aliases)
    }
    home = names.get(matching_form(institution), institution)
    return replace(
        how,
        defaults=InventoryDefaults(home, kind, names),
        pinned={h.server_id: h.host_key for h in known.servers if h.host_key},
    )


def _authority(text: str) -> str:
    """Return the public key of a file such as `ssh_host_ca.pub`."""
    words = text.split()
    if len(words) < 2:
        raise Invalid(what="--host-ca", why=t("imports.bad.host_key.remedy"))
    return f"{words[0]} {words[1]}"


def _print_unconfirmed(board: BoardContext) -> None:
    from guardia.board.cmdb import offered_keys

    count = offered_keys.count_unconfirmed(board)
    if count:
        console().print(t("roster.cli.server.unconfirmed", count=count))


def export_servers(
    output: Output = None,
    form: Annotated[str, typer.Option("--format", help=t("roster.cli.server.export_format"))] = "",
) -> None:
    """Export all servers as CSV, which can be imported again."""
    from guardia.board.cmdb import entries
    from guardia.board.cmdb.imports.export import servers_as_csv

    if form not in ("", "csv"):
        raise Invalid(what=form, why="csv")
    with change_report.open_board() as board:
        text = servers_as_csv(
            entries.entries(board, "server"), entries.entries(board, "institution")
        )
    change_report.write_output(text, output)


def scan_keys(
    servers: Annotated[list[str] | None, typer.Argument(help=t("roster.cli.server.which"))] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, max=60, help=t("roster.cli.server.timeout"))
    ] = 5.0,
) -> None:
    """Fetch the public keys of servers without a confirmed one; confirms none of them."""
    from guardia.board.cmdb import offered_keys
    from guardia.org.host_key import fingerprint
    from guardia.tools.transport.host_key_scan import scan_all
    from guardia.tools.transport.limits import TransportLimits

    with change_report.open_board() as board:
        hosts = offered_keys.unconfirmed_hosts(board, servers)
        if not hosts:
            console().print(t("roster.cli.server.none_open"))
            return
        keys, failures = scan_all(hosts, TransportLimits(connect=timeout, login=0))
        offered_keys.record_offered(board, keys)
    shown = {server: fingerprint(key) for server, key in keys.items()} | failures
    for server, text in sorted(shown.items()):
        console().print(f"{server}  {text}", soft_wrap=True)
    console().print(t("roster.cli.server.scanned", found=len(keys), all=len(hosts)))
