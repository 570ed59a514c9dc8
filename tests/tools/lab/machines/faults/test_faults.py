"""Each fault of a machine is real: its oracle sees it, and sees that it is gone."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from machines_env import Machine

from guardia.i18n import LANGUAGES, catalogue
from guardia.tools.lab.faults.registry import FAULTS
from guardia.tools.lab.machines.faults import registry
from guardia.tools.lab.machines.faults.registry import MACHINE_FAULTS
from guardia.tools.lab.machines.spec import ROLES

OLD = sorted(name for name, fault in MACHINE_FAULTS.items() if ROLES["old"].has(fault.needs))
"""Faults that a machine without systemd can have, too."""


@pytest.mark.machines
@pytest.mark.slow
@pytest.mark.parametrize("name", MACHINE_FAULTS)
def test_current(machine: Machine, name: str) -> None:
    _cycle(machine, name)


@pytest.mark.machines
@pytest.mark.slow
@pytest.mark.parametrize("name", OLD)
def test_old(old_machine: Machine, name: str) -> None:
    _cycle(old_machine, name)


def _cycle(machine: Machine, name: str) -> None:
    running = machine.running
    assert running.oracle(name, machine.name).good
    assert not running.fault(name, machine.name).good
    assert not running.oracle(name, machine.name).good
    machine.heal(name)
    assert running.oracle(name, machine.name).good


def test_names_differ_from_those_of_the_practice_fleet() -> None:
    assert not {*FAULTS} & {*MACHINE_FAULTS}


def test_every_file_is_registered_and_every_fault_has_its_text() -> None:
    folder = Path(registry.__file__).parent
    named = re.compile(r'^    name = "([a-z-]+)"$', re.MULTILINE)
    found = {name for path in folder.glob("*.py") for name in named.findall(path.read_text())}
    assert found == {*MACHINE_FAULTS}
    for language, name in itertools.product(LANGUAGES, MACHINE_FAULTS):
        texts = catalogue(language, "lab")
        assert texts["fault"][name]
        assert name in texts["cli"]["fault"]


def test_every_part_that_a_fault_needs_exists() -> None:
    assert all(ROLES["all"].has(fault.needs) for fault in MACHINE_FAULTS.values())
