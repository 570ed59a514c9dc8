"""The part of `guardia lab` about machines: run them, show them and how to enrol them."""

from __future__ import annotations

import json
import shlex
import sys
import threading
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from guardia.cli.console import console
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.settings import Settings
from guardia.tools.lab.machines.inventory import MachineInventory
from guardia.tools.lab.machines.order import Order
from guardia.tools.lab.machines.running_machines import RunningMachines
from guardia.tools.lab.machines.spec import ROLES


def print_json(value: Any) -> None:
    """Print one line of JSON."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def is_machine_fault(name: str) -> bool:
    """Return whether machines have a fault of that name."""
    from guardia.tools.lab.machines.faults.registry import MACHINE_FAULTS

    return name in MACHINE_FAULTS


def run(
    home: Path, roles: tuple[str, ...], first_address: str, as_json: bool, ended: threading.Event
) -> None:
    """Run machines of these roles until `ended` is set."""
    if unknown := sorted({*roles} - {*ROLES}):
        raise Invalid(what=", ".join(unknown), why=t("lab.machines.roles", roles=", ".join(ROLES)))
    order = Order(roles=roles, first_address=first_address, images=Settings().machine_images)
    machines = RunningMachines.spawn(home, order)
    try:
        if not as_json:
            console(stderr=True).print(
                t("lab.machines.starting", folder=order.images), soft_wrap=True
            )
        machines.wait_until_ready(ended.is_set)
        if not ended.is_set():
            _print_started(machines.inventory, as_json)
        # Poll, so that we also end if the machines end on their own.
        while not ended.wait(1.0):
            if not machines.is_alive():
                raise typer.Exit(1)
    finally:
        machines.stop()


def print_status(machines: RunningMachines) -> None:
    """Print the machines and what the oracles of their faults find."""
    screen, found = console(), machines.status()["machines"]
    screen.print(_table(machines.inventory))
    for machine in found:
        for name, result in machine["oracles"].items():
            verdict = t("lab.cli.good" if result["good"] else "lab.cli.bad")
            screen.print(f"{machine['name']} {name}: {verdict} {result['evidence']}")


def _print_started(inventory: MachineInventory, as_json: bool) -> None:
    if as_json:
        print_json(json.loads(inventory.model_dump_json()))
        return
    screen = console()
    screen.print(_table(inventory))
    screen.print(
        t("lab.machines.enrol", account=inventory.account, key=inventory.key), soft_wrap=True
    )
    for machine in inventory.machines:
        screen.print(shlex.join(enrolment(inventory, machine.name)), soft_wrap=True)
    screen.print(t("lab.machines.ready"))


def enrolment(inventory: MachineInventory, name: str) -> list[str]:
    """Return the command that enrols a machine as any other server."""
    machine = inventory.machine(name)
    return [
        "guardia", "server", "add", machine.name, "--address", machine.address,
        "--port", str(machine.ports["ssh"]), "--account", inventory.account,
        "--key", str(inventory.key), "--fingerprint", machine.fingerprint,
    ]  # fmt: skip


def _table(inventory: MachineInventory) -> Table:
    table = Table(*(t(f"lab.cli.{name}") for name in ("server", "address", "service")), box=None)
    for machine in inventory.machines:
        services = " ".join(f"{name}:{port}" for name, port in machine.ports.items())
        table.add_row(machine.name, machine.address, services)
    return table
