"""`guardia do`: carry out a command in Korean."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from guardia.cli.account import As, authenticate
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.cli.issue import parse_issue_number
from guardia.errors import Missing
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.command.replies import CommandReply
    from guardia.board.core.choices import Choice
    from guardia.board.core.context import BoardContext
    from guardia.org.directory import PersonInfo

CHANNEL = "cli"
_FAILED = (None, "REFUSED", "UNKNOWN")
"""States in which nothing was done as asked, so that scripts notice."""


def do(
    text: Annotated[str, typer.Argument(help=t("commands.cli.text"))] = "",
    *,
    who: As,
    sr: Annotated[str, typer.Option("--sr", help=t("commands.cli.sr"))] = "",
    yes: Annotated[bool, typer.Option("--yes", help=t("commands.cli.yes"))] = False,
    as_json: Annotated[bool, typer.Option("--json", help=t("commands.cli.json"))] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=t("commands.cli.dry"))] = False,
    history: Annotated[bool, typer.Option("--history", help=t("commands.cli.history"))] = False,
    cancel: Annotated[int, typer.Option("--cancel", help=t("commands.cli.cancel"))] = 0,
) -> None:
    """Carry out a command in Korean; what ends or changes something is asked first."""
    from guardia.board.command import answers, giving
    from guardia.board.command.records import TypedLine

    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        if history:
            _print_history(board, person)
            return
        if cancel:
            _print(answers.press(board, person, "cancel", str(cancel)), as_json=as_json)
            return
        if not text.strip():
            raise Missing(what=t("commands.cli.missing"))
        line = TypedLine(text, CHANNEL, parse_issue_number(sr) if sr else None)
        if dry_run:
            _print(giving.preview(board, person, line), as_json=as_json)
            return
        reply = giving.give(board, person, line, confirmed=yes)
        _print(reply, as_json=as_json)
        while _asks(reply) and not as_json:
            reply = _answer(board, person, reply)
            _print(reply, as_json=False)
    if reply.state in _FAILED:
        raise typer.Exit(1)


def _asks(reply: CommandReply) -> bool:
    return any(c.act in ("confirm", "choose") for c in reply.choices)


def _answer(board: BoardContext, person: PersonInfo, reply: CommandReply) -> CommandReply:
    """Ask the person and carry out the answer."""
    from guardia.board.command import answers

    options = [c for c in reply.choices if c.act == "choose"]
    if not options:
        act = "confirm" if typer.confirm(t("commands.cli.question")) else "cancel"
        chosen = next(c for c in reply.choices if c.act == act)
    else:
        chosen = _choose(options)
    return answers.press(board, person, chosen.act, chosen.value)


def _choose(options: list[Choice]) -> Choice:
    for number, option in enumerate(options, 1):
        console().print(f"  {number}. {option.label}")
    number = 0
    while not 0 < number <= len(options):
        number = int(typer.prompt(t("commands.cli.which"), type=int))
    return options[number - 1]


def _print(reply: CommandReply, *, as_json: bool) -> None:
    if as_json:
        found = {
            "structure": reply.command.as_dict(),
            "sentence": reply.sentence,
            "state": reply.state.value if reply.state else None,
            "text": reply.text,
            "command": reply.command_id,
            "sr": reply.sr_id,
            "path": reply.path,
            "choices": [{"act": c.act, "value": c.value, "label": c.label} for c in reply.choices],
        }
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
        return
    screen = console()
    screen.print(json.dumps(reply.command.as_dict(), ensure_ascii=False), soft_wrap=True)
    screen.print(f"→ {reply.sentence}", soft_wrap=True)
    if reply.text:
        screen.print(reply.text, soft_wrap=True)


def _print_history(board: BoardContext, person: PersonInfo) -> None:
    from guardia.board.command import view
    from guardia.board.core.labels import format_time

    columns = ("#", t("commands.page.when"), t("commands.page.what"), t("commands.page.result"))
    table = Table(*columns)
    for row in view.history(board, person).rows:
        state = t(f"commands.state.{row.state}")
        when = format_time(row.run_at or row.created_at, "short")
        table.add_row(str(row.command_id), when, row.text, f"{state} {row.outcome}".strip())
    console().print(table)
