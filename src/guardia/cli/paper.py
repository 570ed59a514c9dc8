"""`guardia paper`: papers of issues, reports and checklists as files; their templates."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guardia.cli.account import As, authenticate
from guardia.cli.installation import open_installation
from guardia.cli.issue import parse_issue_number
from guardia.cli.operator import CLI_OPERATOR
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.papers.issuing import PaperRequest
    from guardia.board.papers.paper import PaperFormat

app = typer.Typer(no_args_is_help=True)
template_app = typer.Typer(no_args_is_help=True)
app.add_typer(template_app, name="template", help=t("papers.cli.template"))

_Format = Annotated[str, typer.Option("--format", help=t("papers.cli.format"))]
_Out = Annotated[Path | None, typer.Option("--out", help=t("papers.cli.out"))]
_Month = Annotated[str, typer.Option("--month", help=t("papers.cli.of_month"))]
_Kind = Annotated[str, typer.Argument(help=t("papers.cli.any_kind"))]
_File = Annotated[Path, typer.Argument(help=t("papers.cli.file"), allow_dash=True)]
_Place = Annotated[str, typer.Option("--institution", help=t("papers.cli.of_institution"))]
_Reason = Annotated[str, typer.Option("--reason", help=t("papers.cli.reason"))]


@app.command("issue", help=t("papers.cli.issue"))
def issue(
    number: Annotated[str, typer.Argument(help=t("cli.issue.number"))],
    kind: Annotated[str, typer.Option("--kind", help=t("papers.cli.kind"))],
    form: _Format = "hwpx",
    out: _Out = None,
    who: As = "",
) -> None:
    """Save a paper of an issue, as the operator or as a person sees it."""
    from guardia.board.papers import template
    from guardia.board.papers.issuing import PaperRequest

    wanted = PaperRequest(template.kind_of(kind), sr_id=parse_issue_number(number))
    _save(wanted, form, out, who)


@app.command("month", help=t("papers.cli.month"))
def month(
    institution: Annotated[str, typer.Option("--institution", help=t("papers.cli.institution"))],
    month: _Month = "",
    form: _Format = "hwpx",
    out: _Out = None,
) -> None:
    """Save the monthly report of an institution."""
    from guardia.board.papers.issuing import PaperRequest

    _save(PaperRequest("month", institution=institution, month=month), form, out)


@app.command("inspection", help=t("papers.cli.inspection"))
def inspection(
    server: Annotated[str, typer.Option("--server", help=t("papers.cli.server"))],
    month: _Month = "",
    form: _Format = "hwpx",
    out: _Out = None,
) -> None:
    """Save the inspection checklist of a server."""
    from guardia.board.papers.issuing import PaperRequest

    _save(PaperRequest("inspection", server=server, month=month), form, out)


@template_app.command("show", help=t("papers.cli.show"))
def show_template(kind: _Kind, institution: _Place = "") -> None:
    """Print the template in force."""
    from guardia.board.papers import revisions, template

    with open_installation(Settings()) as installation, installation.board() as board:
        found = revisions.running(board, template.kind_of(kind), institution)
    sys.stdout.write(found.text)


@template_app.command("check", help=t("papers.cli.check"))
def check_template(kind: _Kind, file: _File) -> None:
    """Check a template; print line and reason of each fault."""
    from guardia.board.papers import template

    found = template.parse(_read(file), template.kind_of(kind))
    sys.stdout.write(t("papers.cli.valid", title=found.title) + "\n")


@template_app.command("apply", help=t("papers.cli.apply"))
def apply_template(
    kind: _Kind, file: _File, institution: _Place = "", reason: _Reason = ""
) -> None:
    """Put a template in force."""
    from guardia.board.papers import revisions, template

    text = _read(file)
    with open_installation(Settings()) as installation, installation.board() as board:
        number = revisions.apply(
            board, CLI_OPERATOR, template.kind_of(kind), institution, text, reason
        )
    sys.stdout.write(t("papers.cli.applied", number=number) + "\n")


@template_app.command("reset", help=t("papers.cli.reset"))
def reset_template(kind: _Kind, institution: _Place = "", reason: _Reason = "") -> None:
    """Stop using a template."""
    from guardia.board.papers import revisions, template

    with open_installation(Settings()) as installation, installation.board() as board:
        known = template.kind_of(kind)
        revisions.apply(board, CLI_OPERATOR, known, institution, "", reason)
        found = revisions.running(board, known, institution)
    sys.stdout.write(t(f"papers.source.{found.source}") + "\n")


@template_app.command("history", help=t("papers.cli.history"))
def history(
    kind: _Kind,
    institution: _Place = "",
    as_json: Annotated[bool, typer.Option("--json", help=t("service.cli.json"))] = False,
) -> None:
    """Print the versions of a template."""
    from guardia.board.core.labels import format_time
    from guardia.board.papers import revisions, template

    with open_installation(Settings()) as installation, installation.board() as board:
        found = revisions.history(board, template.kind_of(kind), institution)
    if as_json:
        rows = [asdict(one) for one in found]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False, default=str) + "\n")
        return
    for one in found:
        at = format_time(one.applied_at)
        sys.stdout.write(f"{one.number}  {at}  {one.author}  {one.sha256[:12]}  {one.reason}\n")


@template_app.command("rollback", help=t("papers.cli.rollback"))
def rollback(
    number: Annotated[int, typer.Argument(help=t("papers.cli.number"), min=1)],
    reason: _Reason = "",
) -> None:
    """Put an earlier version in force again."""
    from guardia.board.papers import revisions

    with open_installation(Settings()) as installation, installation.board() as board:
        new = revisions.rollback(board, CLI_OPERATOR, number, reason)
    sys.stdout.write(t("papers.cli.applied", number=new) + "\n")


def _save(wanted: PaperRequest, form: str, out: Path | None, who: str = "") -> None:
    from guardia.board.core.actors import Actor
    from guardia.board.papers import issuing
    from guardia.cli.operator_view import OPERATOR_VIEWER

    known = _known_format(form)
    with open_installation(Settings()) as installation, installation.board() as board:
        viewer = authenticate(board, who) if who else OPERATOR_VIEWER
        actor = Actor.of(viewer) if who else CLI_OPERATOR
        file = issuing.issue_file(board, viewer, actor, wanted, known)
    target = out or Path(file.name.replace("/", "_"))
    try:
        with target.open("xb") as stream:
            stream.write(file.content)
    except FileExistsError:
        raise Invalid(what=str(target), why=t("papers.cli.exists")) from None
    except OSError as error:
        raise Invalid(what=str(target), why=str(error)) from None
    sys.stdout.write(t("papers.cli.saved", file=target) + "\n")


def _known_format(form: str) -> PaperFormat:
    from guardia.board.papers.issuing import MEDIA_TYPES

    for known in MEDIA_TYPES:
        if known == form:
            return known
    raise Invalid(what=form[:40], why=t("papers.cli.formats"))


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(what=str(file), why=str(error)) from None
