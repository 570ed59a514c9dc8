"""`guardia form`: the service catalogue as code, and requests filed with its forms."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from guardia.cli.account import As, authenticate
from guardia.cli.installation import open_installation
from guardia.cli.operator import CLI_OPERATOR
from guardia.cli.text_files import read_text
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.settings import Settings

app = typer.Typer(no_args_is_help=True)

_File = Annotated[Path, typer.Argument(help=t("forms.cli.file"), allow_dash=True)]
_Form = Annotated[str, typer.Argument(help=t("forms.cli.form"))]
_Json = Annotated[bool, typer.Option("--json", help=t("service.cli.json"))]


@app.command("list", help=t("forms.cli.list"))
def list_(
    query: Annotated[str, typer.Argument(help=t("forms.search"))] = "", as_json: _Json = False
) -> None:
    """Print the forms that contain all words of a query."""
    from guardia.board.request_forms import revisions

    with open_installation(Settings()) as installation, installation.board() as board:
        found = revisions.running_forms(board).search(query)
    if as_json:
        rows = [one.model_dump(mode="json") for one in found]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
        return
    for one in found:
        sys.stdout.write(f"{one.id}  [{one.group}] {one.title}\n")


@app.command("show", help=t("forms.cli.show"))
def show(form: _Form) -> None:
    """Print the fields of a form."""
    from guardia.board.request_forms import filing

    with open_installation(Settings()) as installation, installation.board() as board:
        found = filing.find_form(board, form)
    sys.stdout.write(f"{found.title}\n{found.about}\n")
    for one in found.fields:
        label = one.label if one.required else t("forms.optional", label=one.label)
        options = f" ({' | '.join(one.options)})" if one.options else ""
        sys.stdout.write(f"  {one.id}: {label} [{t(f'forms.kind.{one.kind}')}]{options}\n")


@app.command("file", help=t("forms.cli.request"))
def file(
    form: _Form,
    who: As,
    put: Annotated[list[str] | None, typer.Option("--set", help=t("forms.cli.set"))] = None,
) -> None:
    """File a request with a form."""
    from guardia.board.core.issue_ref import issue_ref
    from guardia.board.request_forms import filing

    given = dict(_field(one) for one in put or [])
    with open_installation(Settings()) as installation, installation.board() as board:
        number = filing.file_request(board, authenticate(board, who), form, given)
    sys.stdout.write(t("forms.cli.filed", sr=issue_ref(number)) + "\n")


@app.command("validate", help=t("forms.cli.validate"))
def validate(file: _File) -> None:
    """Check a catalogue; print line and reason of each fault."""
    from guardia.board.request_forms import catalogue

    found = catalogue.parse(read_text(file), file.name)
    sys.stdout.write(t("forms.cli.valid", count=len(found.forms)) + "\n")


@app.command("export", help=t("forms.cli.export"))
def export() -> None:
    """Print the catalogue in force."""
    from guardia.board.request_forms import revisions

    with open_installation(Settings()) as installation, installation.board() as board:
        sys.stdout.write(revisions.running_text(board)[1])


@app.command("plan", help=t("forms.cli.plan"))
def plan(file: _File) -> None:
    """Print what applying a catalogue would change."""
    from guardia.board.request_forms import revisions

    text = read_text(file)
    with open_installation(Settings()) as installation, installation.board() as board:
        _, changes = revisions.plan(board, text)
    for one in changes:
        sys.stdout.write(f"{one}\n")
    if not changes:
        sys.stdout.write(t("rules.cli.nothing") + "\n")


@app.command("apply", help=t("forms.cli.apply"))
def apply(file: _File) -> None:
    """Apply a catalogue."""
    from guardia.board.request_forms import revisions

    text = read_text(file)
    with open_installation(Settings()) as installation, installation.board() as board:
        number, changes = revisions.apply(board, CLI_OPERATOR, text)
    for one in changes:
        sys.stdout.write(f"{one}\n")
    sys.stdout.write(t("forms.cli.applied", number=number) + "\n")


@app.command("history", help=t("forms.cli.history"))
def history() -> None:
    """Print the revisions of the catalogue."""
    from guardia.board.core.labels import format_time
    from guardia.board.request_forms import revisions

    with open_installation(Settings()) as installation, installation.board() as board:
        found = revisions.history(board)
    for one in found:
        at = format_time(one.applied_at)
        sys.stdout.write(f"{one.number}  {at}  {one.author}  {one.sha256[:12]}\n")


@app.command("rollback", help=t("forms.cli.rollback"))
def rollback(
    number: Annotated[int, typer.Argument(help=t("forms.cli.number"), min=0)],
) -> None:
    """Apply an earlier revision again."""
    from guardia.board.request_forms import revisions

    with open_installation(Settings()) as installation, installation.board() as board:
        new, _ = revisions.rollback(board, CLI_OPERATOR, number)
    sys.stdout.write(t("forms.cli.applied", number=new) + "\n")


def _field(given: str) -> tuple[str, str]:
    name, separator, value = given.partition("=")
    if not separator:
        raise Invalid(what=given[:40], why=t("forms.cli.set"))
    return name.strip(), value
