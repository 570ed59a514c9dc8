"""Every fault is registered, documented, has an oracle, and can be reached with `guardia lab`."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import output

from guardia.errors import NotFound, Refused
from guardia.i18n import LANGUAGES, catalogue
from guardia.tools.lab import faults
from guardia.tools.lab.blueprint import SERVERS
from guardia.tools.lab.faults.base import Fault
from guardia.tools.lab.faults.registry import FAULTS
from guardia.tools.lab.machines.faults.registry import MACHINE_FAULTS
from guardia.tools.lab.running_fleet import RunningFleet

INFRASTRUCTURE = {"base", "registry"}
ALL = pytest.mark.parametrize("name", FAULTS)


def fault_classes() -> Iterator[tuple[str, type[Fault]]]:
    """Every fault in the package's files, with the name of its file."""
    for module in pkgutil.iter_modules(faults.__path__):
        loaded = importlib.import_module(f"{faults.__name__}.{module.name}")
        for found in vars(loaded).values():
            is_own = inspect.isclass(found) and found.__module__ == loaded.__name__
            if is_own and issubclass(found, Fault) and found is not Fault:
                yield module.name, found


def skip_without_volume(fleet: RunningFleet, name: str) -> None:
    if name == "full-volume" and not fleet.inventory.volumes:
        pytest.skip("the kernel mounts no volume here")


def test_every_file_holds_one_registered_fault() -> None:
    files = {m.name for m in pkgutil.iter_modules(faults.__path__)} - INFRASTRUCTURE
    found = list(fault_classes())
    assert sorted(files) == sorted(file for file, _ in found)
    assert {fault for _, fault in found} == set(FAULTS.values())
    assert {file for file, _ in found} == {name.replace("-", "_") for name in FAULTS}


@ALL
def test_a_fault_is_documented_in_every_language(name: str) -> None:
    assert inspect.getdoc(FAULTS[name])
    for language in LANGUAGES:
        texts = catalogue(language, "lab")
        assert texts["fault"][name]
        if FAULTS[name].is_injectable:
            assert name in texts["cli"]["fault"]


@ALL
def test_a_fault_has_an_oracle_and_a_server(name: str) -> None:
    assert not inspect.isabstract(FAULTS[name])
    assert FAULTS[name].server_id in SERVERS


@ALL
def test_a_fault_has_a_test_file(name: str) -> None:
    assert (Path(__file__).parent / f"test_{name.replace('-', '_')}.py").is_file()


def test_no_text_describes_a_missing_fault() -> None:
    for language in LANGUAGES:
        assert set(catalogue(language, "lab")["fault"]) == {*FAULTS, *MACHINE_FAULTS}


@pytest.mark.slow
def test_the_fleet_runs_every_oracle(practice: RunningFleet) -> None:
    oracles = practice.status()["oracles"]
    assert list(oracles) == list(FAULTS)
    assert all(result["good"] for result in oracles.values())


@pytest.mark.slow
@ALL
def test_a_fault_can_be_healed_with_the_command(
    practice: RunningFleet, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("GUARDIA_HOME", str(practice.home.parent))
    healed = json.loads(output("lab", "heal", name, "--json"))
    assert healed == {"name": name, "good": True}


@pytest.mark.slow
@ALL
def test_a_fault_is_injected_and_healed(practice: RunningFleet, name: str) -> None:
    skip_without_volume(practice, name)
    assert practice.is_healthy(name)
    if not FAULTS[name].is_injectable:
        with pytest.raises(Refused):
            practice.fault(name)
        return
    assert not practice.fault(name).good
    assert not practice.is_healthy(name)
    practice.heal(name)
    assert practice.is_healthy(name)


def test_an_unknown_fault_is_not_found(fleet: RunningFleet) -> None:
    for ask in (fleet.fault, fleet.heal, fleet.oracle):
        with pytest.raises(NotFound, match="no-such-fault"):
            ask("no-such-fault")
