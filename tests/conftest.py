"""Fixtures of real parts for every test: a PostgreSQL, a database of its own, the fleet."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sql_cache
from board_env import BoardEnv, open_env, seeded_env
from hypothesis import settings

from guardia.db.embedded import APPLICATION_ROLE, FAST_SETTINGS, OWNER_ROLE, Cluster
from guardia.tools.lab.running_fleet import RunningFleet

# How long one example takes says more about the machine than about the code.
settings.register_profile("guardia", deadline=None)
settings.load_profile("guardia")

TEMPLATE = "guardia_template"
SEEDED = "guardia_seeded"
_SERVER = {
    **FAST_SETTINGS,
    "max_connections": "200",
    "max_wal_size": "128MB",
    "min_wal_size": "32MB",
    # How dear a guess at a password is, is of no matter here; each connection would pay for it.
    "scram_iterations": "1",
}
_RAM_FOLDER = Path("/dev/shm")
_NEEDED_BYTES = 2 << 30
_database_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A short folder that the unprivileged server account can reach (pytest's own are private)."""
    folder = Path(tempfile.mkdtemp(prefix="guardia-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One PostgreSQL for the whole run, with the product's roles."""
    folder = Path(tempfile.mkdtemp(prefix="guardia-test-", dir=_ram_folder()))
    folder.chmod(0o711)
    with Cluster(folder / "pg", settings=_SERVER) as running, sql_cache.shared_sql_cache():
        running.create_roles()
        yield running
    shutil.rmtree(folder, ignore_errors=True)


def _ram_folder() -> Path | None:
    """Where files are only memory, if there is room: a database for each test is 700 of them."""
    if not os.access(_RAM_FOLDER, os.W_OK):
        return None
    found = os.statvfs(_RAM_FOLDER)
    programs = not found.f_flag & os.ST_NOEXEC  # the server's may have to be copied there
    return _RAM_FOLDER if programs and found.f_bavail * found.f_frsize > _NEEDED_BYTES else None


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """A migrated database that is copied for every test; nobody connects to it."""
    from guardia.db.migrate import upgrade

    cluster.create_database(TEMPLATE, owner=OWNER_ROLE)
    upgrade(cluster.dsn(OWNER_ROLE, TEMPLATE))
    return TEMPLATE


@pytest.fixture(scope="session")
def seeded_template(cluster: Cluster, template: str) -> str:
    """The template of tests that have a ``cast``: its chart, people and servers are in it."""
    cluster.create_database(SEEDED, owner=OWNER_ROLE, template=template)
    with seeded_env(cluster.dsn(APPLICATION_ROLE, SEEDED)):
        return SEEDED


@dataclass(frozen=True)
class Dsns:
    """One database, as each role sees it."""

    name: str
    owner: str
    app: str
    superuser: str


@pytest.fixture
def database(request: pytest.FixtureRequest, cluster: Cluster, template: str) -> Iterator[Dsns]:
    """A migrated database for one test."""
    name = f"test_{next(_database_numbers)}"
    origin = SEEDED if "seeded_template" in request.fixturenames else template
    cluster.create_database(name, owner=OWNER_ROLE, template=origin)
    yield Dsns(
        name,
        cluster.dsn(OWNER_ROLE, name),
        cluster.dsn(APPLICATION_ROLE, name),
        cluster.dsn(cluster.superuser, name),
    )
    cluster.drop_database(name)


@pytest.fixture
def env(seeded_template: str, database: Dsns) -> Iterator[BoardEnv]:
    """The shipped chart, people and servers over a database of its own."""
    with open_env(database.app) as env:
        yield env


@pytest.fixture(scope="session")
def fleet(home: Path) -> Iterator[RunningFleet]:
    """The practice fleet, once for the whole run. Tests that only look may use it directly."""
    # As below nohup: what runs on its servers must hear of a hang-up all the same.
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with RunningFleet.spawn(home / "lab") as running:
        signal.signal(signal.SIGHUP, before)
        yield running


@pytest.fixture
def practice(fleet: RunningFleet) -> Iterator[RunningFleet]:
    """The fleet for one test that puts faults or deploys: everything is put right afterwards."""
    yield fleet
    fleet.heal("all")
