"""`guardia tools`: list and explain the tools, show what one would run, run a read."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from guardia.cli import server_env
from guardia.cli.console import console
from guardia.cli.operator import CLI_OPERATOR
from guardia.errors import Invalid, Refused
from guardia.i18n import t

if TYPE_CHECKING:
    from guardia.board.core.plan import Action, Check, ToolCall
    from guardia.board.core.planner import ToolEntry
    from guardia.org.directory import Host
    from guardia.tools.tool import Tool

app = typer.Typer(no_args_is_help=True)
_Name = Annotated[str, typer.Argument(help=t("catalog.cli.name"))]
_Json = Annotated[bool, typer.Option("--json", help=t("cli.json"))]


@app.command("list", help=t("catalog.cli.list"))
def list_(
    family: Annotated[str, typer.Option("--family", help=t("catalog.cli.family"))] = "",
    as_json: _Json = False,
) -> None:
    """Print the tools; needs no database."""
    from guardia.tools import reference

    found = [one for one in reference.entries() if family in ("", one.family)]
    if as_json:
        server_env.print_json([asdict(one) for one in found])
        return
    keys = ("tool", "risk", "effect", "platforms", "tried_on")
    table = Table(*(t(f"catalog.{key}") for key in keys))
    for one in found:
        risk = t(f"catalog.risks.{one.risk}") + (f" ({t('catalog.off')})" if one.off else "")
        table.add_row(one.name, risk, one.title, ", ".join(one.platforms), ", ".join(one.tried_on))
    console().print(table)


@app.command("show", help=t("catalog.cli.show"))
def show(name: _Name, as_json: _Json = False) -> None:
    """Print everything about one tool; needs no database."""
    from guardia.tools import catalog, reference

    tool = catalog.find(name)
    one, arguments = reference.entry(tool), list(reference.arguments(tool))
    if as_json:
        server_env.print_json(asdict(one) | {"arguments": [asdict(a) for a in arguments]})
        return
    lines = [(t("catalog.risk"), t(f"catalog.risks.{one.risk}")), (t("catalog.effect"), one.effect)]
    for arg in arguments:
        optional = "" if arg.required else f" ({t('catalog.cli.optional')})"
        lines.append((t("catalog.cli.arguments"), f"{arg.name}: {arg.kind}{optional}"))
    console().print(f"{one.name}: {one.title}", style="bold", markup=False)
    _print_lines(lines + _facts(one))


def _facts(one: ToolEntry) -> list[tuple[str, str]]:
    undo = t("catalog.can_undo") if one.undo else one.irreversible
    facts = [(t("catalog.impact"), one.impact)]
    facts += [(t("catalog.check"), check) for check in one.checks]
    facts += [
        (t("catalog.undo"), undo),
        (t("catalog.cli.kinds"), ", ".join(one.kinds)),
        (t("catalog.platforms"), ", ".join(one.platforms)),
        (t("catalog.cli.requires"), ", ".join(one.requires)),
        (t("catalog.tried_on"), ", ".join(one.tried_on)),
        (t("catalog.off") if one.off else t("catalog.tool"), one.manual),
    ]
    return [(name, text) for name, text in facts if text]


@app.command("run", help=t("catalog.cli.run"))
def run(
    name: _Name,
    server: Annotated[str, typer.Option("--server", help=t("catalog.cli.server"))],
    arg: Annotated[list[str] | None, typer.Option("--arg", help=t("catalog.cli.arg"))] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=t("catalog.cli.dry_run"))] = False,
    as_json: _Json = False,
) -> None:
    """Run a read on a server, or only print what any tool would run there."""
    from guardia.board.cmdb import view as cmdb
    from guardia.board.core.plan import Risk
    from guardia.tools import catalog

    tool = catalog.find(name)
    if tool.risk is not Risk.READ and not dry_run:
        raise Refused(why=t("catalog.cli.not_a_read", tool=name))
    call = _call(tool, arg or [])
    if dry_run:
        with server_env.open_board() as board:
            host = cmdb.server(board, server)
        _print_dry_run(call, host, as_json=as_json)
        return
    with server_env.open_tools() as opened:
        found = opened.gate.inspect(CLI_OPERATOR, server, call)
    server_env.print_json(found)


@app.command("reference", help=t("catalog.cli.reference"))
def reference() -> None:
    """Print the reference of all tools as Markdown; needs no database."""
    from guardia.tools.reference import markdown

    sys.stdout.write(markdown() + "\n")


def _call(tool: Tool[Any], words: list[str]) -> ToolCall:
    """Return the call of arguments that are given as `name=value`."""
    from pydantic import ValidationError

    from guardia.board.core.plan import ToolCall
    from guardia.tools import planning

    given = {}
    for word in words:
        name, found, value = word.partition("=")
        if not found:
            raise Invalid(what="--arg", why=t("catalog.cli.bad_arg", text=word))
        given[name.strip()] = value
    try:
        args = tool.args.model_validate_strings(given)
    except ValidationError as error:
        raise planning.invalid_argument(tool.name, error) from None
    return ToolCall(tool=tool.name, args=args.model_dump(mode="json"))


def _print_dry_run(call: ToolCall, host: Host, *, as_json: bool) -> None:
    from guardia.tools import catalog, planning

    action = planning.propose(call, host)
    service = next((s for s in host.services if s.name == call.args.get("service")), None)
    rights = [" ".join(right) for right in catalog.find(call.tool).rights(host, service)]
    if as_json:
        server_env.print_json(action.model_dump(mode="json") | {"rights": rights})
        return
    console().print(action.effect, style="bold", markup=False)
    _print_lines(
        [
            *_check_lines("before", action.precheck),
            (t("catalog.cli.command"), action.command),
            *_check_lines("after", action.verify),
            *_undo_lines(action, host),
            (t("catalog.cli.rights"), "\n".join(rights) or t("catalog.cli.no_rights")),
        ]
    )


def _check_lines(when: str, checks: tuple[Check, ...]) -> list[tuple[str, str]]:
    return [(t(f"catalog.cli.{when}"), f"{c.sentence} [{c.call.tool}: {c.expect}]") for c in checks]


def _undo_lines(action: Action, host: Host) -> list[tuple[str, str]]:
    from guardia.tools import planning

    name = t("catalog.cli.undo")
    if action.undo is None:
        return [(name, action.irreversible)] if action.irreversible else []
    _, _, command = planning.prepare(action.undo, host)
    return [(name, f"{action.undo.tool}\n{command.masked}")]


def _print_lines(lines: list[tuple[str, str]]) -> None:
    screen = console()
    for name, text in lines:
        screen.print(f"{name}:", style="dim", markup=False, highlight=False)
        screen.print(f"  {text}", markup=False, highlight=False, soft_wrap=True)
