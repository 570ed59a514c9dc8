"""Fixtures of real parts for every test: a PostgreSQL, a database of its own, the fleet."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from guardia.db.embedded import APPLICATION_ROLE, FAST, OWNER_ROLE, Cluster
from guardia.tools.lab.running import RunningFleet

# How long one example takes says more about the machine than about the code.
settings.register_profile("guardia", deadline=None)
settings.load_profile("guardia")

TEMPLATE = "guardia_template"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A short folder that the unprivileged server account can reach (pytest's own are private)."""
    folder = Path(tempfile.mkdtemp(prefix="guardia-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster(home: Path) -> Iterator[Cluster]:
    """One PostgreSQL for the whole run, with the product's roles."""
    with Cluster(home / "pg", settings={**FAST, "max_connections": "200"}) as running:
        running.create_roles()
        yield running


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """A migrated database that is copied for every test; nobody connects to it."""
    from guardia.db.migrate import upgrade

    cluster.create_database(TEMPLATE, owner=OWNER_ROLE)
    upgrade(cluster.dsn(OWNER_ROLE, TEMPLATE))
    return TEMPLATE


@dataclass(frozen=True)
class Dsns:
    """One database, as each role sees it."""

    name: str
    owner: str
    app: str
    superuser: str


@pytest.fixture
def database(cluster: Cluster, template: str) -> Iterator[Dsns]:
    """A migrated database for one test."""
    name = f"test_{next(_numbers)}"
    cluster.create_database(name, owner=OWNER_ROLE, template=template)
    yield Dsns(
        name,
        cluster.dsn(OWNER_ROLE, name),
        cluster.dsn(APPLICATION_ROLE, name),
        cluster.dsn(cluster.superuser, name),
    )
    cluster.drop_database(name)


@pytest.fixture(scope="session")
def fleet(home: Path) -> Iterator[RunningFleet]:
    """The practice fleet, once for the whole run. Tests that only look may use it directly."""
    with RunningFleet.spawn(home / "lab") as running:
        yield running


@pytest.fixture
def practice(fleet: RunningFleet) -> Iterator[RunningFleet]:
    """The fleet for one test that puts faults or deploys: everything is put right afterwards."""
    yield fleet
    fleet.heal("all")
