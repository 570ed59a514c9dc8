"""`guardia server probe|check|sudoers|confirm-key`: read a server and say what is missing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from guardia.cli import server_env
from guardia.cli.console import console
from guardia.cli.operator import CLI_OPERATOR
from guardia.errors import Invalid, Missing
from guardia.i18n import t

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guardia.org.directory import Host
    from guardia.tools.enrolment.checks import ToolCheck
    from guardia.tools.enrolment.report import ProbeReport

_MAX_SHOWN = 2
_Id = Annotated[str, typer.Argument(help=t("cli.server.id"))]
_Json = Annotated[bool, typer.Option("--json", help=t("cli.json"))]


def probe(
    server: _Id,
    accept: Annotated[
        list[str] | None, typer.Option("--accept", help=t("cli.server.accept_new"))
    ] = None,
    as_json: _Json = False,
) -> None:
    """Gather the facts of a server again and show the services that they suggest."""
    from guardia.board.cmdb import readings, server_list, servers
    from guardia.tools.enrolment import probe as probing

    with server_env.open_tools() as tools:
        host, _ = server_list.server(tools.board, CLI_OPERATOR, server)
        report = run_probe(tools, host)
        servers.record_facts(tools.board, CLI_OPERATOR, server, report.facts)
        if accept:
            known = {service.name: service for service in host.services}
            found = {s.name: s for s in probing.accepted(report, accept)}
            if missing := set(accept) - found.keys():
                raise Invalid(what=", ".join(sorted(missing)), why=t("cli.server.not_proposed"))
            merged = [s.model_dump() for s in {**known, **found}.values()]
            servers.edit(tools.board, CLI_OPERATOR, server, {"services": merged})
        readings.keep(tools.board, CLI_OPERATOR, "probe", host, report.as_result())
    if as_json:
        server_env.print_json(probe_json(host, report))
        return
    _print_facts(report)
    print_proposals(report)


def check(
    server: _Id,
    everything: Annotated[bool, typer.Option("--all", help=t("cli.server.check_all"))] = False,
    as_json: _Json = False,
) -> None:
    """Say for each tool whether it will work on a server, and what is missing."""
    from guardia.board.cmdb import readings, server_list
    from guardia.tools.enrolment import checks

    with server_env.open_tools() as tools:
        host, _ = server_list.server(tools.board, CLI_OPERATOR, server)
        found = checks.check(tools.gate, CLI_OPERATOR, host)
        rows = [one.as_plain() for one in found]
        readings.keep(tools.board, CLI_OPERATOR, "check", host, {"tools": rows})
    if as_json:
        server_env.print_json({"server": server, "tools": rows})
        return
    works = sum(one.works for one in found)
    table = Table(*(t(f"cli.server.column.{c}") for c in ("tool", "service", "result")))
    for (service, result), names in _by_result(found, everything).items():
        table.add_row(", ".join(names), service, result)
    if table.row_count:
        console().print(table)
    console().print(t("cli.server.checked", works=works, all=len(found)))


def _by_result(found: Iterable[ToolCheck], everything: bool) -> dict[tuple[str, str], list[str]]:
    """Return the tools by service and result: many lack the same."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in found:
        if everything or not one.works:
            result = t("cli.server.works") if one.works else _shortened(one.missing)
            groups.setdefault((one.service or "-", result), []).append(one.tool)
    return groups


def _shortened(missing: tuple[str, ...]) -> str:
    """Return what is missing in at most a few lines; `--json` has all of it."""
    shown = list(missing[:_MAX_SHOWN])
    if len(missing) > _MAX_SHOWN:
        shown.append(t("cli.server.missing_more", count=len(missing) - _MAX_SHOWN))
    return "\n".join(shown)


def sudoers(
    server: _Id,
    tools: Annotated[str, typer.Option("--tools", help=t("cli.server.tools"))] = "",
) -> None:
    """Print the least sudo rights that the chosen tools need on a server."""
    from guardia.board.cmdb import server_list
    from guardia.tools.enrolment import checks
    from guardia.tools.enrolment import sudoers as rendering

    chosen = [name.strip() for name in tools.split(",") if name.strip()]
    with server_env.open_board() as board:
        host, _ = server_list.server(board, CLI_OPERATOR, server)
    rights = checks.rights_of(host, chosen)
    needs_password = host.login.elevate == "password"
    sys.stdout.write(
        rendering.render(
            host.account, rights, server=server, password=needs_password, skip=not chosen
        )
    )


def confirm_key(
    server: _Id,
    fingerprint: Annotated[
        str | None, typer.Option("--fingerprint", help=t("cli.server.fingerprint"))
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help=t("cli.server.reason"))] = None,
    as_json: _Json = False,
) -> None:
    """Pin the new host key of a server after comparing its fingerprint; ends its block."""
    from guardia.board.cmdb import host_keys, server_list
    from guardia.org import host_key
    from guardia.tools.transport import host_key_scan

    with server_env.open_board() as board:
        host, _ = server_list.server(board, CLI_OPERATOR, server)
        offered = host_key_scan.find(host, fingerprint) if fingerprint else host_key_scan.scan(host)
        if offered is None:
            raise Invalid(what=fingerprint or "-", why=t("cli.server.other_fingerprint"))
        shown = host_key.fingerprint(offered)
        if not fingerprint:
            if not server_env.is_interactive():
                raise Missing(what=t("cli.server.confirm_needed", fingerprint=shown))
            words = {"address": f"{host.address}:{host.port}", "kind": offered.split()[0]}
            typer.confirm(
                t("cli.server.confirm_fingerprint", fingerprint=shown, **words), abort=True
            )
        why = server_env.ask(reason, "cli.server.reason")
        host_keys.confirm(board, CLI_OPERATOR, server, offered, why)
    if as_json:
        server_env.print_json({"server": server, "fingerprint": shown})
        return
    server_env.print_line("cli.server.key_confirmed", {"id": server, "fingerprint": shown})


def run_probe(tools: server_env.ServerTools, host: Host) -> ProbeReport:
    """Probe a server as the operator."""
    from guardia.tools.enrolment import probe as probing

    return probing.probe(tools.gate, CLI_OPERATOR, host, tools.board.clock())


def probe_json(host: Host, report: ProbeReport) -> dict[str, Any]:
    """Return the result of a probe as JSON."""
    return {
        "server": host.server_id,
        "kind": host.kind,
        "facts": report.facts.model_dump(mode="json"),
        "services": [s.model_dump(mode="json") for s in host.services],
        "proposals": [p.model_dump(mode="json") for p in report.proposals],
        "disks": [d.model_dump(mode="json") for d in report.system.disks],
        "versions": report.system.versions,
        "clock_offset": report.clock_offset,
        "unreadable": list(report.unreadable()),
    }


def print_host(host: Host, institution: str) -> None:
    """Print a server's entry."""
    from guardia.org import host_key

    facts = host.facts
    lines = {
        "id": host.server_id,
        "institution": f"{institution} ({host.institution})",
        "kind": host.kind,
        "address": f"{host.address}:{host.port}",
        "account": host.account,
        "credential": host.credential,
        "host_key": host_key.fingerprint(host.host_key) if host.host_key else "-",
        "os": f"{facts.os} {facts.os_version} {facts.kernel}".strip() or "-",
        "init": facts.init or "-",
        "encoding": facts.encoding or "-",
        "state": host.blocked or t("cli.server.state.ready"),
    }
    table = Table(show_header=False)
    for name, value in lines.items():
        table.add_row(t(f"cli.server.column.{name}"), value)
    console().print(table)
    services = Table(*(t(f"cli.server.column.{c}") for c in ("service", "kind", "place", "unit")))
    for service in host.services:
        place = f"{service.address or '*'}:{service.port}" if service.port else "-"
        services.add_row(service.name, service.kind, place, service.unit or service.control or "-")
    console().print(services)


def _print_facts(report: ProbeReport) -> None:
    system = report.system
    screen = console()
    screen.print(f"{system.os_name or system.os}  {system.kernel}  {system.init}  {system.shell}")
    for version in system.versions:
        screen.print(f"  {version}")
    for disk in system.disks:
        inodes = "-" if disk.inode_percent is None else f"{disk.inode_percent}%"
        words = {"place": disk.place, "percent": disk.percent, "inodes": inodes}
        screen.print("  " + t("cli.server.disk", **words))
    screen.print(t("cli.server.clock", seconds=report.clock_offset))
    for line in report.unreadable():
        screen.print(line, style="yellow")


def print_proposals(report: ProbeReport) -> None:
    """Print the proposed services with why each is proposed."""
    table = Table(*(t(f"cli.server.column.{c}") for c in ("service", "kind", "place", "why")))
    for proposal in report.proposals:
        service = proposal.service
        place = f"{service.address or '*'}:{service.port}" if service.port else "-"
        table.add_row(service.name, service.kind, place, proposal.why)
    console().print(table)
