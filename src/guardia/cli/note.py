"""`guardia note`: read, add, correct and strike out the agents' notes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from guardia.board.core.issue_ref import issue_ref
from guardia.cli.account import As, authenticate
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.organization.agent_view import NoteView

app = typer.Typer(no_args_is_help=True)
_Agent = Annotated[str, typer.Argument(help=t("cli.staff.agent"))]
_Number = Annotated[int, typer.Argument(help=t("cli.note.number"), min=1)]
_Text = Annotated[str, typer.Argument(help=t("cli.note.text"))]


@app.command("list", help=t("cli.note.list"))
def list_(agent: _Agent, who: As) -> None:
    """Print what an agent has learned, and what it knows about its issues."""
    from guardia.board.organization import agent_view

    with open_installation(Settings()) as installation, installation.board() as board:
        page = agent_view.agent_page(board, authenticate(board, who), agent)
    screen = console()
    for title, found in (("lessons", page.lessons), ("working", page.working)):
        screen.print(t(f"notes.page.{title}"), style="bold")
        for note in found.rows:
            _print_note(screen, note)
        if found.total > len(found.rows):
            more = t("web.evidence.newest", count=len(found.rows))
            screen.print(f"  {more}", style="dim")
        if not found.rows:
            screen.print(f"  {t('cli.note.none')}", style="dim")


@app.command("show", help=t("cli.note.show"))
def show(agent: _Agent, number: _Number, who: As) -> None:
    """Print one note with all its versions, newest first."""
    from guardia.board.organization import agent_view

    with open_installation(Settings()) as installation, installation.board() as board:
        page = agent_view.note_page(board, authenticate(board, who), agent, number)
    screen = console()
    _print_note(screen, page.note)
    for version in page.versions[1:]:
        head = t("web.plan.version", version=version.version)
        screen.print(f"{head} · {version.author}", style="dim")
        screen.print(Padding(Text(version.body), (0, 0, 0, 4)))


@app.command("add", help=t("cli.note.add"))
def add(agent: _Agent, text: _Text, who: As) -> None:
    """Add a permanent lesson for an agent."""
    from guardia.board.organization import agent_memory

    with open_installation(Settings()) as installation, installation.board() as board:
        number = agent_memory.add_lesson(board, authenticate(board, who), agent, text)
    sys.stdout.write(t("cli.note.added", number=number) + "\n")


@app.command("edit", help=t("cli.note.edit"))
def edit(agent: _Agent, number: _Number, text: _Text, who: As) -> None:
    """Replace the text of a note; earlier versions stay in its history."""
    from guardia.board.organization import agent_memory

    _change_note(
        agent, number, who, lambda *of, version: agent_memory.edit(*of, version=version, body=text)
    )


@app.command("strike", help=t("cli.note.strike"))
def strike(
    agent: _Agent,
    number: _Number,
    who: As,
    restore: Annotated[bool, typer.Option("--restore", help=t("cli.note.restore"))] = False,
) -> None:
    """Strike out a note, or restore it."""
    from guardia.board.organization import agent_memory

    _change_note(
        agent,
        number,
        who,
        lambda *of, version: agent_memory.set_note_active(*of, version=version, active=restore),
    )


def _change_note(agent: str, number: int, who: str, change: Callable[..., None]) -> None:
    """Change the current version of a note."""
    from guardia.board.organization import agent_view

    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        seen = agent_view.note_page(board, person, agent, number).note.version
        change(board, person, agent, number, version=seen)
    sys.stdout.write(t("cli.note.changed", number=number) + "\n")


def _print_note(console: Console, note: NoteView) -> None:
    origin = [issue_ref(note.sr_id)] if note.sr_id else []
    origin += [note.server] if note.server else []
    struck = [] if note.active else [t("notes.page.struck")]
    head = " · ".join([f"#{note.note_id}", *origin, note.author, *struck])
    console.print(f"  {head}", style="dim")
    console.print(Padding(Text(note.body), (0, 0, 0, 4)))
