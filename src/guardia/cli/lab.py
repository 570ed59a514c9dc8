"""`guardia lab`: the practice fleet, its faults and their oracles."""

from __future__ import annotations

import json
import shlex
import signal
import sys
import threading
from typing import Any

import typer
from rich.table import Table

from guardia.cli.console import console
from guardia.i18n import t
from guardia.settings import Settings
from guardia.tools.lab.running_fleet import RunningFleet

app = typer.Typer(no_args_is_help=True)
_JSON = typer.Option(False, "--json", help=t("lab.cli.json"))
_NAME = typer.Argument(help=t("lab.cli.name"))


@app.command("up", help=t("lab.cli.up"))
def up(as_json: bool = _JSON) -> None:
    """Start the fleet and keep running until a signal."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: ended.set())
    fleet = RunningFleet.spawn(Settings().home / "lab")
    with fleet:
        if as_json:
            _print_json(json.loads(fleet.inventory.model_dump_json()))
        else:
            _print_fleet(fleet)
        if not fleet.is_owned:
            console().print(t("lab.cli.already"))
            return
        # Poll, so that we also end if the fleet ends on its own.
        while not ended.wait(1.0):
            if not fleet.is_alive():
                raise typer.Exit(1)


@app.command("status", help=t("lab.cli.status"))
def status(as_json: bool = _JSON) -> None:
    """Print the state of servers, commands and oracles."""
    fleet = _running_fleet()
    if as_json:
        _print_json(fleet.status())
    else:
        _print_fleet(fleet)


@app.command("fault", help=t("lab.cli.fault"))
def fault(name: str = _NAME, as_json: bool = _JSON) -> None:
    """Cause a fault on a server."""
    finding = _running_fleet().fault(name)
    if as_json:
        _print_json({"name": name, "good": finding.good, "evidence": finding.evidence})
    else:
        console().print(t(f"lab.fault.{name}"), str(finding.evidence))


@app.command("heal", help=t("lab.cli.heal"))
def heal(name: str = _NAME, as_json: bool = _JSON) -> None:
    """Repair a fault from outside."""
    _running_fleet().heal(name)
    if as_json:
        _print_json({"name": name, "good": True})
    else:
        console().print(t("lab.cli.healed", name=name))


def _running_fleet() -> RunningFleet:
    return RunningFleet.find(Settings().home / "lab")


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _print_fleet(fleet: RunningFleet) -> None:
    found, screen = fleet.status(), console()
    table = Table("server", "address", "service", "state", "commands", box=None)
    for column in table.columns:
        column.header = t(f"lab.cli.{column.header}")
    for server in found["servers"]:
        state, commands = t(f"lab.state.{server['state']}"), str(len(server["commands"]))
        table.add_row(server["server"], server["address"], server["service"], state, commands)
    screen.print(table)
    for name, finding in found["oracles"].items():
        verdict = t("lab.cli.good" if finding["good"] else "lab.cli.bad")
        screen.print(f"{t('lab.cli.oracle')} {name}: {verdict} {finding['evidence']}")
    host, key = fleet.inventory.hosts[0], fleet.inventory.key
    command = shlex.join(
        ["ssh", "-i", str(key), "-p", str(host.port), f"{host.account}@{host.address}"]
    )
    screen.print(t("lab.cli.login", command=command), soft_wrap=True)
    if fleet.is_owned:
        screen.print(t("lab.cli.ready"))
