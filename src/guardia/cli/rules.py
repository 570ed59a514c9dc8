"""`guardia rules`: the rules that find trouble in the talk of rooms."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guardia.cli.installation import open_installation
from guardia.cli.text_files import read_text
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.core.context import BoardContext
    from guardia.org.chat_rules import ChatRules

app = typer.Typer(no_args_is_help=True)
_Days = Annotated[int, typer.Option("--days", min=1, max=90, help=t("talk.cli.days"))]
_File = Annotated[
    Path | None, typer.Option("--file", exists=True, dir_okay=False, help=t("talk.cli.file"))
]


@app.callback()
def rules() -> None:
    """Group the commands about rules of rooms."""


@app.command("test", help=t("talk.cli.test"))
def test(
    lines: Annotated[list[str], typer.Argument(help=t("talk.cli.lines"))],
    room: Annotated[str, typer.Option("--room", help=t("talk.cli.room"))] = "",
    file: _File = None,
) -> None:
    """Print which rules fire on lines, and why."""
    from guardia.board.intake import rule_trials

    with open_installation(Settings()) as installation, installation.board() as board:
        talk = _rules(board, file)
        tried = rule_trials.try_lines(talk, room, lines, board.clock())
    for one in tried:
        key = "fires" if one.is_first else "later" if one.fires else "silent"
        words = " · ".join(word or "-" for word in one.findings.found)
        veto = one.findings.vetoed_by
        why = f" ({t('talk.vetoed', word=veto)})" if veto else ""
        sys.stdout.write(f"{t(f'talk.{key}')}  {one.rule.id} ({one.rule.title}): {words}{why}\n")
    if not any(one.fires for one in tried):
        sys.stdout.write(t("talk.nothing") + "\n")


@app.command("dry-run", help=t("talk.cli.dry_run"))
def dry_run(days: _Days = 7, file: _File = None) -> None:
    """Print how often the rules would have fired on the talk of the last days."""
    from guardia.board.intake import rule_trials

    with open_installation(Settings()) as installation, installation.board() as board:
        talk = _rules(board, file)
        found = rule_trials.dry_run(board, talk, days)
    for one in found:
        words = {"id": one.rule.id, "title": one.rule.title, "kept_back": one.kept_back}
        sys.stdout.write(t("talk.cli.result", **words, offers=one.offers) + "\n")
        for line in one.newest:
            sys.stdout.write(f"  {line.at:%m-%d %H:%M} {line.room} {line.sender}: {line.text}\n")


def _rules(board: BoardContext, file: Path | None) -> ChatRules:
    """Return the rules of a file, or those of the applied chart."""
    from guardia.board.organization import chart as organization_chart
    from guardia.org import chart

    if file is not None:
        return chart.parse(read_text(file), str(file)).talk
    return organization_chart.running(board)[1].talk
