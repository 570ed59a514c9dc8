"""`guardia ask`: ask the technical documents."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from guardia.cli.account import As, authenticate
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.search.view import AnswerView, PassageView

_SECONDS = 15.0


def ask(
    text: Annotated[str, typer.Argument(help=t("search.cli.text"))],
    *,
    who: As,
    as_json: Annotated[bool, typer.Option("--json", help=t("search.cli.json"))] = False,
) -> None:
    """Print the passages that answer a question; the exit code is 1 if nothing fits."""
    from guardia.board.search import api, questions, view

    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        if not questions.has_worker(board):
            console(stderr=True).print(t("search.no_worker"), soft_wrap=True)
            raise typer.Exit(1)
        number = questions.ask(board, person, text)
        questions.wait(board, number, _SECONDS)
        found = view.get_answer(board, person, number)
    if as_json:
        sys.stdout.write(api.as_plain(found).model_dump_json() + "\n")
    else:
        _print(found)
    if not found.fits:
        raise typer.Exit(1)


def _print(found: AnswerView) -> None:
    screen = console()
    if found.state != "ANSWERED":
        screen.print(t("search.failed" if found.is_over else "search.late"), soft_wrap=True)
        return
    for sentence in found.sentences:
        screen.print(Text(f"{sentence.text} [{sentence.number}]"), soft_wrap=True)
    if not found.fits:
        screen.print(f"{t('search.nothing')} {t('search.ask_people')}", soft_wrap=True)
        if found.passages:
            screen.print(t("search.nearest"), style="dim")
    for number, one in enumerate(found.passages, 1):
        screen.print(Text(f"{number}. {_place(one)}", style="bold"), soft_wrap=True)
        screen.print(Padding(Text("\n".join(one.quoted)), (0, 0, 0, 3)))
        screen.print(Text(f"   {one.path}", style="dim"), soft_wrap=True)


def _place(one: PassageView) -> str:
    page = [t("search.page", page=one.page)] if one.page else []
    sheet = [t("search.sheet", sheet=one.sheet)] if one.sheet else []
    return " > ".join([one.title, *one.heading_path, *sheet, *page])
