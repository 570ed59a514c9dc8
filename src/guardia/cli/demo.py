"""`guardia demo`: one command from nothing to a repaired server and the proof of it."""

from __future__ import annotations

import json
import signal
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from guardia.cli import demo_stories
from guardia.cli.console import console
from guardia.cli.demo_stories import DemoOutcome
from guardia.errors import GuardiaError
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.cli.demo_environment import DemoEnvironment

_STORY_TIMEOUT = 240.0
_WATCH_SECONDS = 1.0


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
    screen = console(stderr=as_json)
    started = time.monotonic()
    outcome: DemoOutcome | None = None
    failure = ""
    try:
        with ExitStack() as stack:
            environment = _open_environment(stack, screen)
            outcome = _run_story(environment, story_to_run, yes=yes, started=started)
            _print(screen, outcome)
            if not leave:
                _wait_for_interrupt(environment)
    except KeyboardInterrupt:
        failure = t("cli.demo.interrupted")
    except GuardiaError as error:
        failure = str(error)
        screen.print(Text.assemble((t("cli.error"), "bold red"), " ", failure))
    screen.print(t("cli.demo.stopped"))
    if as_json:
        found = outcome.as_json() if outcome else {"ok": False, "story": story, "error": failure}
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    raise typer.Exit(0 if outcome is not None and outcome.ok else 1)


def _open_environment(stack: ExitStack, console: Console) -> DemoEnvironment:
    from guardia.cli.demo_environment import DemoEnvironment

    environment = stack.enter_context(DemoEnvironment(Settings(), console).opened())
    console.print(t("cli.demo.ready", address=environment.address))
    environment.print_accounts()
    return environment


def _run_story(
    environment: DemoEnvironment, story: demo_stories.DemoStory, *, yes: bool, started: float
) -> DemoOutcome:
    from guardia.cli.demo_run import DemoRun

    timeout = _STORY_TIMEOUT if yes else None
    run = DemoRun(environment, story, environment.console, yes=yes, timeout=timeout)
    run.begin()
    run.follow()
    return run.outcome(time.monotonic() - started)


def _print(console: Console, outcome: DemoOutcome) -> None:
    table = Table(title=t("cli.demo.result"), show_header=False)
    state = t(f"state.{outcome.status}")
    for what, held in {**outcome.checks, "chain": outcome.chain}.items():
        label = t(f"cli.demo.check.{what}", status=state, entries=outcome.audit_entries)
        words = Text(t("cli.demo.held"), "blue") if held else Text(t("cli.demo.broken"), "red")
        table.add_row(label, words)
    console.print(table)


def _wait_for_interrupt(environment: DemoEnvironment) -> None:
    """Wait until a person stops the demo; end it if one of its parts has ended."""
    environment.console.print(t("cli.demo.stay"))
    while True:
        environment.require_alive()
        time.sleep(_WATCH_SECONDS)
