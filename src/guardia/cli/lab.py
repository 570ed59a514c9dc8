"""`guardia lab`: the practice fleet and the machines, their faults and oracles."""

from __future__ import annotations

import json
import shlex
import signal
import threading
from contextlib import suppress
from pathlib import Path

import typer
from rich.table import Table

from guardia.cli import lab_machines
from guardia.cli.console import console
from guardia.cli.lab_machines import print_json
from guardia.errors import NotFound
from guardia.i18n import t
from guardia.settings import Settings
from guardia.tools.lab.machines.addresses import FIRST
from guardia.tools.lab.machines.running_machines import RunningMachines
from guardia.tools.lab.machines.spec import default_roles
from guardia.tools.lab.running_fleet import RunningFleet

app = typer.Typer(no_args_is_help=True)
_JSON = typer.Option(False, "--json", help=t("lab.cli.json"))
_NAME = typer.Argument(help=t("lab.cli.name"))
_ROLE = typer.Option([], "--role", help=t("lab.cli.role"))
_MACHINE = typer.Option(None, "--machine", help=t("lab.cli.machine"))


@app.command("up", help=t("lab.cli.up"))
def up(
    as_json: bool = _JSON,
    machines: bool = typer.Option(False, "--machines", help=t("lab.cli.machines")),
    count: int = typer.Option(3, "--count", min=1, max=60, help=t("lab.cli.count")),
    role: list[str] = _ROLE,
    first_address: str = typer.Option(FIRST, "--first-address", help=t("lab.cli.first_address")),
) -> None:
    """Start the fleet or machines and keep running until a signal."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: ended.set())
    if machines:
        roles = tuple(role) or default_roles(count)
        lab_machines.run(_machines_home(), roles, first_address, as_json, ended)
    else:
        _run_fleet(as_json, ended)


def _run_fleet(as_json: bool, ended: threading.Event) -> None:
    fleet = RunningFleet.spawn(Settings().home / "lab")
    with fleet:
        if as_json:
            print_json(json.loads(fleet.inventory.model_dump_json()))
        else:
            _print_fleet(fleet)
        if not fleet.is_owned:
            console().print(t("lab.cli.already"))
            return
        # Poll, so that we also end if the fleet ends on its own.
        while not ended.wait(1.0):
            if not fleet.is_alive():
                raise typer.Exit(1)


@app.command("down", help=t("lab.cli.down"))
def down() -> None:
    """End the fleet and the machines that run in this home."""
    running = [found for found in (_fleet(), _machines()) if found is not None]
    if not running:
        raise NotFound(what=t("lab.fleet"))
    for found in running:
        found.stop()
    console().print(t("lab.cli.stopped"))


@app.command("status", help=t("lab.cli.status"))
def status(as_json: bool = _JSON) -> None:
    """Print the state of servers, commands and oracles."""
    fleet, machines = _fleet(), _machines()
    if fleet is None and machines is None:
        raise NotFound(what=t("lab.fleet"))
    if as_json:
        print_json((fleet.status() if fleet else {}) | (machines.status() if machines else {}))
        return
    if fleet:
        _print_fleet(fleet)
    if machines:
        lab_machines.print_status(machines)


@app.command("fault", help=t("lab.cli.fault"))
def fault(name: str = _NAME, machine: str | None = _MACHINE, as_json: bool = _JSON) -> None:
    """Cause a fault on a server."""
    if lab_machines.is_machine_fault(name):
        finding = RunningMachines.find(_machines_home()).fault(name, machine)
    else:
        finding = _running_fleet().fault(name)
    if as_json:
        print_json({"name": name, "good": finding.good, "evidence": finding.evidence})
    else:
        console().print(t(f"lab.fault.{name}"), str(finding.evidence))


@app.command("heal", help=t("lab.cli.heal"))
def heal(name: str = _NAME, machine: str | None = _MACHINE, as_json: bool = _JSON) -> None:
    """Repair a fault from outside."""
    if lab_machines.is_machine_fault(name):
        RunningMachines.find(_machines_home()).heal(name, machine)
    elif name == "all" and (machines := _machines()) is not None:
        machines.heal(name, machine)
        if (fleet := _fleet()) is not None:
            fleet.heal(name)
    else:
        _running_fleet().heal(name)
    if as_json:
        print_json({"name": name, "good": True})
    else:
        console().print(t("lab.cli.healed", name=name))


def _running_fleet() -> RunningFleet:
    return RunningFleet.find(Settings().home / "lab")


def _fleet() -> RunningFleet | None:
    with suppress(NotFound):
        return _running_fleet()
    return None


def _machines_home() -> Path:
    return Settings().home / "machines"


def _machines() -> RunningMachines | None:
    with suppress(NotFound):
        return RunningMachines.find(_machines_home())
    return None


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
