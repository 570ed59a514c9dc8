"""Fixtures for every test: a PostgreSQL, a database per test, the practice fleet."""

from __future__ import annotations

import gc
import itertools
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sql_cache
from board_env import BoardEnv, open_env, seeded_env
from hypothesis import settings
from machines_env import machine, machines, old_machine
from xdist.scheduler.loadfile import LoadFileScheduling

from guardia import garbage
from guardia.db import roles
from guardia.db.embedded import APPLICATION_ROLE, FAST_SETTINGS, OWNER_ROLE, Cluster
from guardia.tools.lab.running_fleet import RunningFleet

# How long one example takes says more about the machine than about the code.
settings.register_profile("guardia", deadline=None)
settings.load_profile("guardia")

__all__ = ["machine", "machines", "old_machine"]  # fixtures
TEMPLATE = "guardia_template"
SEEDED = "guardia_seeded"
_SERVER = {
    **FAST_SETTINGS,
    "max_connections": "200",
    "max_wal_size": "128MB",
    "min_wal_size": "32MB",
    # Slowing down password guesses is pointless here, and each connection would pay for it.
    "scram_iterations": "1",
}
_OF_MACHINES = re.compile(r"_machines?\.py$|lab/machines/")
"""Files whose tests run on machines."""
_RAM_FOLDER = Path("/dev/shm")
_NEEDED_BYTES = 2 << 30
_database_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the browser's tests last: Playwright leaves an event loop running in their process."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


class _ByFile(LoadFileScheduling):
    """Keep each file in one process, and all files that need machines in the same one.

    Starting the machines costs as much as many tests on them, which mostly wait.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "machines" if _OF_MACHINES.search(file) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """Distribute the tests of `make test`."""
    return _ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


# What the collection makes stays: the garbage collector need not look at it, now or later.
garbage.spare_modules()
gc.disable()


def pytest_collection_finish() -> None:
    """Let the garbage collector work from here on, on what the tests make."""
    garbage.keep_what_exists()
    gc.enable()


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """Create a short folder that the unprivileged server account can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="guardia-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _own_home(home: Path) -> Iterator[None]:
    """Keep settings without a folder out of the installation of this checkout."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GUARDIA_HOME", str(home / "default"))
        yield


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Start one PostgreSQL for the whole run, with the product's roles."""
    folder = Path(tempfile.mkdtemp(prefix="guardia-test-", dir=_ram_folder()))
    folder.chmod(0o711)
    with Cluster(folder / "pg", settings=_SERVER) as running, sql_cache.shared_sql_cache():
        running.create_roles()
        yield running
    shutil.rmtree(folder, ignore_errors=True)


def _ram_folder() -> Path | None:
    """Return a folder in memory if it has room: a database per test is 700 files each."""
    if not os.access(_RAM_FOLDER, os.W_OK):
        return None
    found = os.statvfs(_RAM_FOLDER)
    executable = not found.f_flag & os.ST_NOEXEC  # the server's programs may be copied there
    return _RAM_FOLDER if executable and found.f_bavail * found.f_frsize > _NEEDED_BYTES else None


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """Create a migrated database that is copied for every test; no test connects to it."""
    from guardia.db.migrate import upgrade

    cluster.create_database(TEMPLATE, owner=OWNER_ROLE)
    upgrade(cluster.dsn(OWNER_ROLE, TEMPLATE))
    return TEMPLATE


@pytest.fixture(scope="session")
def seeded_template(cluster: Cluster, template: str) -> str:
    """Create the template for tests that use `env`: with chart, people and servers."""
    cluster.create_database(SEEDED, owner=OWNER_ROLE, template=template)
    with seeded_env(cluster.dsn(APPLICATION_ROLE, SEEDED)):
        return SEEDED


@dataclass(frozen=True)
class Dsns:
    """DSNs of one database, one per role."""

    name: str
    owner: str
    app: str
    superuser: str


@pytest.fixture(scope="session")
def superuser(cluster: Cluster) -> Iterator[roles.Connection]:
    """Keep one connection that creates and drops databases: signing in costs as much as either."""
    with psycopg.connect(cluster.dsn(cluster.superuser, "postgres"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def database(
    request: pytest.FixtureRequest, cluster: Cluster, superuser: roles.Connection, template: str
) -> Iterator[Dsns]:
    """Create a migrated database for one test."""
    name = f"test_{next(_database_numbers)}"
    origin = SEEDED if "seeded_template" in request.fixturenames else template
    roles.create_database(superuser, name, OWNER_ROLE, origin)
    yield Dsns(
        name,
        cluster.dsn(OWNER_ROLE, name),
        cluster.dsn(APPLICATION_ROLE, name),
        cluster.dsn(cluster.superuser, name),
    )
    roles.drop_database(superuser, name)


@pytest.fixture
def env(seeded_template: str, database: Dsns) -> Iterator[BoardEnv]:
    """Open the seeded board over a database of its own."""
    with open_env(database.app) as env:
        yield env


@pytest.fixture(scope="session")
def fleet(home: Path) -> Iterator[RunningFleet]:
    """Start the practice fleet once for the whole run; tests that only read may use it directly."""
    # As under nohup: programs on its servers must still receive a hang-up.
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with RunningFleet.spawn(home / "lab") as running:
        signal.signal(signal.SIGHUP, before)
        yield running


@pytest.fixture
def practice(fleet: RunningFleet) -> Iterator[RunningFleet]:
    """Return the fleet for a test that causes faults or deploys; heals everything afterwards."""
    yield fleet
    fleet.heal("all")
