"""`guardia demo`: one command from nothing to a repaired server and the proof of it."""

from __future__ import annotations

import json
import signal
import sys
import time
from contextlib import ExitStack
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from guardia.cli import demo_stories
from guardia.cli.demo_stories import DemoOutcome
from guardia.errors import GuardiaError
from guardia.i18n import t
from guardia.settings import Settings

_STORY_TIMEOUT = 240.0


def demo(
    yes: Annotated[bool, typer.Option("--yes", help=t("cli.demo.yes"))] = False,
    leave: Annotated[bool, typer.Option("--exit", help=t("cli.demo.exit"))] = False,
    as_json: Annotated[bool, typer.Option("--json", help=t("cli.json"))] = False,
    story: Annotated[
        str,
        typer.Option("--story", help=t("cli.demo.story", names=", ".join(demo_stories.STORIES))),
    ] = "lock-chain",
) -> None:
    """Start everything, run one story, and show which expectations held."""
    story_to_run = demo_stories.find_story(story)
    # End in order, too, if a supervisor stops us or a shell started us with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    # Text for people goes to stderr if a program reads stdout.
    console = Console(stderr=as_json, highlight=False)
    started = time.monotonic()
    outcome: DemoOutcome | None = None
    failure = ""
    try:
        with ExitStack() as stack:
            outcome = _run_story(stack, console, story_to_run, yes=yes, started=started)
            _print(console, outcome)
            if not leave:
                _wait_for_interrupt(console)
    except KeyboardInterrupt:
        failure = t("cli.demo.interrupted")
    except GuardiaError as error:
        failure = str(error)
        console.print(f"[bold red]{t('cli.error')}[/]", failure)
    console.print(t("cli.demo.stopped"))
    if as_json:
        found = outcome.as_json() if outcome else {"ok": False, "story": story, "error": failure}
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    raise typer.Exit(0 if outcome is not None and outcome.ok else 1)


def _run_story(
    stack: ExitStack, console: Console, story: demo_stories.DemoStory, *, yes: bool, started: float
) -> DemoOutcome:
    from guardia.cli.demo_environment import DemoEnvironment
    from guardia.cli.demo_run import DemoRun

    environment = stack.enter_context(DemoEnvironment(Settings(), console).opened())
    console.print(t("cli.demo.ready", address=environment.address))
    environment.print_accounts()
    timeout = _STORY_TIMEOUT if yes else None
    run = DemoRun(environment, story, console, yes=yes, timeout=timeout)
    run.begin()
    run.follow()
    return run.outcome(time.monotonic() - started)


def _print(console: Console, outcome: DemoOutcome) -> None:
    table = Table(title=t("cli.demo.result"), show_header=False)
    state = t(f"state.{outcome.status}")
    for what, held in {**outcome.checks, "chain": outcome.chain}.items():
        label = t(f"cli.demo.check.{what}", status=state, entries=outcome.audit_entries)
        words = f"[blue]{t('cli.demo.held')}[/]" if held else f"[red]{t('cli.demo.broken')}[/]"
        table.add_row(label, words)
    console.print(table)


def _wait_for_interrupt(console: Console) -> None:
    console.print(t("cli.demo.stay"))
    signal.pause()
