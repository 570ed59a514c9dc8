"""`guardia kill` with the database broken, while a real approved change runs on a server."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from stop_env import HangingChange, fill, hanging_change, small_disk
from waiting import wait_until

from guardia.db.reserve import RESERVE_BYTES
from guardia.settings import Settings
from guardia.tools.lab.running_fleet import RunningFleet

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts the small disk"),
]


@pytest.fixture
def change(home: Path, fleet: RunningFleet) -> Iterator[HangingChange]:
    folder = Path(tempfile.mkdtemp(prefix="stop-", dir=home))
    folder.chmod(0o711)
    with small_disk(folder / folder.name, 300) as disk, hanging_change(disk, fleet) as made:
        yield made


@pytest.mark.slow
def test_the_disk_of_the_database_is_full(change: HangingChange) -> None:
    change.begin()
    reserve = Settings(home=change.made.home).postgres / "reserve"
    assert wait_until(lambda: reserve.exists() and reserve.stat().st_size == RESERVE_BYTES)
    fill(change.made.home)
    done = change.kill()
    assert change.left() == 0, (done.stdout, done.stderr, change.log())
    assert done.returncode == 0, done.stderr
    assert wait_until(lambda: change.kinds().count("killed") == 1), (change.kinds(), change.log())
    (change.made.home / "filler").unlink()
    assert wait_until(lambda: "kill_report" in change.kinds()), (change.kinds(), change.log())
    assert change.left() == 0


@pytest.mark.slow
def test_postgresql_was_killed(change: HangingChange) -> None:
    change.begin()
    postmaster = change.made.cluster.pid
    assert postmaster
    os.kill(postmaster, signal.SIGKILL)
    done = change.kill()
    assert change.left() == 0, (done.stdout, done.stderr, change.log())
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    change.made.cluster.stop()  # its keeper is gone: the worker takes over
    assert wait_until(lambda: _recorded(change))
    assert change.kinds().count("killed") == 1
    rows = change.made.rows("select ordered_by, reason from tb_kill where released_at is null")
    assert rows == [("operator:cli", "시험")]
    assert wait_until(lambda: "kill_report" in change.kinds())
    assert change.left() == 0


@pytest.mark.slow
def test_the_board_cannot_be_reached(change: HangingChange) -> None:
    change.begin()
    done = change.kill(GUARDIA_DSN="postgresql://guardia_app:x@127.0.0.1:1/guardia")
    assert change.left() == 0
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert wait_until(lambda: _recorded(change))
    assert wait_until(lambda: "kill_report" in change.kinds())
    assert change.left() == 0


def _recorded(change: HangingChange) -> bool:
    try:
        return "killed" in change.kinds()
    except Exception:
        return False
