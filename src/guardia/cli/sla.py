"""`guardia sla`: targets of requests, how they were kept, what requesters say."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from guardia.cli.account import As, authenticate
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.cli.issue import parse_issue_number
from guardia.i18n import t
from guardia.settings import Settings

app = typer.Typer(no_args_is_help=True)

_Number = Annotated[str, typer.Argument(help=t("cli.issue.number"))]
_Json = Annotated[bool, typer.Option("--json", help=t("service.cli.json"))]


@app.command("report", help=t("service.cli.report"))
def report(
    month: Annotated[str, typer.Option("--month", help=t("service.cli.month"))] = "",
    institution: Annotated[
        str, typer.Option("--institution", help=t("service.cli.institution"))
    ] = "",
    as_json: _Json = False,
) -> None:
    """Print the report of a month."""
    from rich.table import Table

    from guardia.board.service_levels import report as reports

    with open_installation(Settings()) as installation, installation.board() as board:
        found = reports.month_report(board, None, month, institution)
    if as_json:
        lines = [{**asdict(one), "rate": one.rate} for one in found.lines]
        data = {"month": found.month, "lines": lines, "satisfaction": found.score}
        sys.stdout.write(json.dumps(data, ensure_ascii=False) + "\n")
        return
    heads = ("institution", "kind", "priority", "kept", "broken", "overdue", "rate")
    table = Table(*(t(f"service.report.{name}") for name in heads), title=found.month)
    for one in found.lines:
        counts = (str(number) for number in (one.kept, one.broken, one.overdue))
        name = one.name or t("service.report.unknown")
        kind = t(f"service.kind.{one.kind}")
        table.add_row(name, kind, one.priority, *counts, f"{one.rate:.1f}%")
    console().print(table)
    words = {"rate": f"{found.rate:.1f}", "kept": found.kept, "broken": found.broken}
    sys.stdout.write(t("service.report.total", **words) + "\n")


@app.command("show", help=t("service.cli.show"))
def show(
    number: _Number,
    who: As,
    as_json: _Json = False,
) -> None:
    """Print the targets and the expected time of a request."""
    from guardia.board.core.labels import format_span, format_time
    from guardia.board.service_levels import section

    with open_installation(Settings()) as installation, installation.board() as board:
        found = section.read_section(board, authenticate(board, who), parse_issue_number(number))
    if as_json:
        sys.stdout.write(json.dumps(asdict(found), ensure_ascii=False, default=str) + "\n")
        return
    for one in found.clocks:
        parts = [t(f"service.kind.{one.kind}"), t(f"service.state.{one.state}")]
        parts.append(t("service.clock.target", time=format_span(one.target)))
        if one.due_at:
            parts.append(t("service.clock.due", due=format_time(one.due_at, "short")))
        sys.stdout.write(" · ".join(parts) + "\n")
    for line in (found.expected, found.contact, found.reach):
        if line:
            sys.stdout.write(line + "\n")


@app.command("rate", help=t("service.cli.rate"))
def rate(
    number: _Number,
    score: Annotated[int, typer.Argument(help=t("service.satisfaction.score"), min=1, max=5)],
    who: As,
    comment: Annotated[str, typer.Option("--comment", help=t("service.cli.comment"))] = "",
) -> None:
    """Give a score to the resolution of one's own request."""
    from guardia.board.service_levels import satisfaction

    with open_installation(Settings()) as installation, installation.board() as board:
        satisfaction.rate(
            board, authenticate(board, who), parse_issue_number(number), score, comment
        )
    label = t(f"service.satisfaction.{score}")
    sys.stdout.write(t("service.satisfaction.given", score=score, label=label) + "\n")


@app.command("unresolved", help=t("service.cli.unresolved"))
def unresolved(
    number: _Number,
    who: As,
    reason: Annotated[str, typer.Option("--reason", help=t("service.unresolved.reason"))],
) -> None:
    """Say that an ended request is not resolved."""
    from guardia.board.core.issue_ref import issue_ref
    from guardia.board.service_levels import unresolved as unresolved_requests

    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        done = unresolved_requests.report_unresolved(
            board, person, parse_issue_number(number), reason
        )
    key = "reopened" if done.is_reopened else "followed"
    sys.stdout.write(t(f"service.unresolved.{key}", sr=issue_ref(done.sr_id)) + "\n")
