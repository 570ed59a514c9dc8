"""`guardia hire | fire | agent | heartbeat`: manage single agents."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guardia.board.core.actors import Actor
from guardia.cli import chart_file
from guardia.cli.console import console
from guardia.cli.installation import migrate, open_installation
from guardia.cli.operator import CLI_OPERATOR
from guardia.errors import Invalid, OperatorError, Unreachable
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.core.context import BoardContext

app = typer.Typer(no_args_is_help=True)
_Agent = Annotated[str, typer.Argument(help=t("cli.staff.agent"))]
_Chart = Annotated[Path | None, typer.Option("--file", help=t("cli.org.file"))]
_POLL_SECONDS = 1.0
"""Seconds without an event until the board is checked anyway."""


def hire(
    agent: Annotated[str, typer.Argument(help=t("cli.staff.agent"))] = "",
    *,
    title: Annotated[str, typer.Option("--title", help=t("cli.staff.title"))] = "",
    duty: Annotated[str, typer.Option("--duty", help=t("cli.staff.duty"))] = "",
    superior: Annotated[str, typer.Option("--reports-to", help=t("cli.staff.superior"))] = "",
    skills: Annotated[str, typer.Option("--skills", help=t("cli.staff.skills"))] = "",
    role: Annotated[str, typer.Option("--role", help=t("cli.staff.role"))] = "",
    snippet: Annotated[Path | None, typer.Option("--from", help=t("cli.staff.snippet"))] = None,
    file: _Chart = None,
) -> None:
    """Add an agent to the chart file and apply it; comments and order are kept."""
    from guardia.org import chart_edit

    options = {"id": agent, "title": title, "duty": duty, "reports_to": superior, "role": role}
    entry = _read_snippet(snippet) | {name: value for name, value in options.items() if value}
    if skills:
        entry["skills"] = [skill.strip() for skill in skills.split(",")]
    entry.setdefault("duty", "operate")
    chart = chart_file.read_chart_file(file)
    if entry["duty"] != "dispatch":
        entry.setdefault("reports_to", _dispatcher(chart))
    revision = _apply_edit(chart, chart_edit.hire(chart.text, entry))
    words = {"agent": entry["id"], "revision": revision, "path": chart.path}
    sys.stdout.write(t("cli.staff.hired", **words) + "\n")


def fire(
    agent: _Agent,
    file: _Chart = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=t("cli.org.yes"))] = False,
) -> None:
    """Remove an agent from the chart file and apply it; its open work goes to its superior."""
    from guardia.org import chart_edit

    chart = chart_file.read_chart_file(file)
    text = chart_edit.fire(chart.text, agent)
    if not yes:
        typer.confirm(t("cli.org.fires", agents=agent), abort=True)
    words = {"agent": agent, "revision": _apply_edit(chart, text), "path": chart.path}
    sys.stdout.write(t("cli.staff.fired", **words) + "\n")


@app.command("set", help=t("cli.staff.set"))
def set_(
    agent: _Agent,
    field: Annotated[str, typer.Argument(help=t("cli.staff.field"))],
    value: Annotated[str, typer.Argument(help=t("cli.staff.value"))],
    file: _Chart = None,
) -> None:
    """Set one field of an agent in the chart file and apply it; all other lines are kept."""
    from guardia.org import chart_edit, chart_yaml

    chart = chart_file.read_chart_file(file)
    text = chart_edit.set_field(chart.text, agent, field, chart_yaml.load(value, field))
    words = {"agent": agent, "field": field, "value": value}
    revision = _apply_edit(chart, text)
    sys.stdout.write(t("cli.staff.was_set", **words, revision=revision, path=chart.path) + "\n")


def _apply_edit(chart: chart_file.ChartFile, text: str) -> int:
    """Apply an edited chart and replace its file: both or neither."""
    from guardia.board.organization import chart as organization_chart
    from guardia.org import chart as charts

    with open_installation(Settings()) as installation:
        migrate(installation)
        with installation.board() as board:
            number, running = organization_chart.running_text(board)
            if charts.fingerprint(running) != charts.fingerprint(chart.text):
                why = t("cli.staff.drifted", revision=number)
                raise Invalid(what=str(chart.path), why=why)
            with chart.replacing(text):
                return organization_chart.apply_chart(board, text, CLI_OPERATOR, number)


def _dispatcher(chart: chart_file.ChartFile) -> str:
    from guardia.org import chart as charts

    found = charts.parse(chart.text, chart.path.name)
    return next(a.id for a in found.agents if a.duty == "dispatch")


def _read_snippet(path: Path | None) -> dict[str, Any]:
    """Read one agent's entry from a file, or from standard input for `-`."""
    from guardia.org import chart_yaml

    if path is None:
        return {}
    text = sys.stdin.read() if str(path) == "-" else chart_file.read_chart_file(path).text
    found = chart_yaml.load(text, path.name)
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if not isinstance(found, dict):
        raise Invalid(what=path.name, why=t("cli.staff.one_entry"))
    return {str(name): value for name, value in found.items()}


@app.command("pause", help=t("cli.staff.pause"))
def pause(agent: _Agent) -> None:
    """Pause an agent: no new beats begin."""
    from guardia.board.organization import agent_control

    with open_installation(Settings()) as installation, installation.board() as board:
        done = agent_control.pause(board, agent, CLI_OPERATOR)
    sys.stdout.write(t("cli.staff.paused" if done else "cli.staff.as_it_was") + "\n")


@app.command("resume", help=t("cli.staff.resume"))
def resume(agent: _Agent) -> None:
    """Resume a paused agent."""
    from guardia.board.organization import agent_control

    with open_installation(Settings()) as installation, installation.board() as board:
        done = agent_control.resume(board, agent, CLI_OPERATOR)
    sys.stdout.write(t("cli.staff.resumed" if done else "cli.staff.as_it_was") + "\n")


@app.command("run", help=t("cli.staff.run"))
def run(agent: _Agent) -> None:
    """Wake an agent now, without waiting for its beat."""
    from guardia.board.organization import agent_control

    with open_installation(Settings()) as installation, installation.board() as board:
        agent_control.wake_now(board, agent, CLI_OPERATOR)
    sys.stdout.write(t("cli.staff.woken", agent=agent) + "\n")


def heartbeat(
    agent: _Agent,
    timeout: Annotated[float, typer.Option("--wait", min=1, help=t("cli.staff.wait"))] = 60.0,
) -> None:
    """Wake an agent and show its beat live: wake reasons, actions, outcome."""
    with open_installation(Settings()) as installation, installation.board() as board:
        outcome = _follow_beat(board, agent, timeout)
    sys.stdout.write(t("cli.staff.ended", agent=agent, outcome=outcome) + "\n")


def _follow_beat(board: BoardContext, agent: str, timeout: float) -> str:
    from guardia.board.core import labels
    from guardia.board.integrity import entries
    from guardia.board.organization import agent_control
    from guardia.cli.timeline import AuditTimeline
    from guardia.db import events

    screen, announced = console(), False
    news = events.listen(board.database.dsn, timeout=_POLL_SECONDS)
    next(news)
    timeline = AuditTimeline(board, screen, actor=Actor.agent(agent), after=entries.size(board))
    last = agent_control.wake_now(board, agent, CLI_OPERATOR)
    deadline = time.monotonic() + timeout
    with timeline.spinner(t("cli.staff.waiting", agent=agent)):
        for _ in news:
            found = agent_control.next_run(board, agent, last)
            if found is not None and not announced:
                announced = True
                reasons = ", ".join(t(f"wake.reason.{reason}") for reason in found.reasons)
                screen.print(t("cli.staff.begun", run=found.run_id, reasons=reasons))
            timeline.print_new()
            if found is not None and found.ended_at is not None:
                steps = t("cli.staff.steps", steps=found.steps)
                return f"{labels.outcome_label(found.outcome)} ({steps})"
            if found is None and time.monotonic() > deadline:
                raise Unreachable(server=agent, why=t("cli.staff.nobody"))
    raise OperatorError()
