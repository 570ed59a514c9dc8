"""The keeper of the embedded server: one at a time, and the server comes back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from waiting import wait_until

from guardia.db.embedded import FAST_SETTINGS, Cluster
from guardia.db.keeper import ClusterKeeper


@pytest.fixture
def data(home: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="keeper-", dir=home))
    folder.chmod(0o711)
    yield folder / "pg"
    shutil.rmtree(folder)


def small(data: Path) -> Cluster:
    return Cluster(data, settings=FAST_SETTINGS)


def answers(cluster: Cluster) -> bool:
    try:
        with psycopg.connect(cluster.dsn("postgres", "postgres"), connect_timeout=3):
            return True
    except psycopg.OperationalError:
        return False


def restart_with_pg_ctl(cluster: Cluster) -> None:
    program = [str(cluster.binaries() / "pg_ctl"), "-D", str(cluster.folder.files), "-w"]
    account = cluster.folder.account()
    subprocess.run(
        [*program, "restart", "-l", "/dev/null"],
        check=True,
        cwd="/",
        stdout=subprocess.DEVNULL,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[],
    )


@pytest.mark.slow
def test_a_killed_server_comes_back_at_the_same_address(data: Path) -> None:
    cluster = small(data)
    with ClusterKeeper(cluster):
        address, killed = cluster.dsn("postgres", "postgres"), cluster.pid
        assert killed
        os.kill(killed, signal.SIGKILL)
        assert wait_until(lambda: cluster.pid not in {None, killed} and answers(cluster))
        assert cluster.dsn("postgres", "postgres") == address
    assert cluster.folder.server_pids() == []


@pytest.mark.slow
def test_a_command_connects_to_a_server_that_pg_ctl_restarted(data: Path) -> None:
    with small(data) as keeper:
        before = keeper.pid
        restart_with_pg_ctl(keeper)
        restarted, pid_file = keeper.pid, keeper.folder.files / "postmaster.pid"
        assert restarted not in {None, before}
        inode = pid_file.stat().st_ino
        with small(data) as command:
            assert not command.owned
            assert command.pid == restarted
            assert answers(command)
        assert pid_file.stat().st_ino == inode
        assert answers(keeper)
        assert keeper.pid == restarted
    assert keeper.folder.server_pids() == []


@pytest.mark.slow
def test_a_server_without_a_keeper_is_only_connected_to(data: Path) -> None:
    with small(data) as first:
        restart_with_pg_ctl(first)
        keeper_lock, first._keeper_lock = first._keeper_lock, None  # as if its keeper had died
        assert keeper_lock is not None
        os.close(keeper_lock)
        with small(data) as command:
            assert not command.owned
        assert answers(first)
        with ClusterKeeper(small(data)) as keeper:
            assert wait_until(lambda: keeper.cluster.owned)
    assert first.folder.server_pids() == []


@pytest.mark.slow
def test_another_keeper_takes_over(data: Path) -> None:
    first = small(data).start()
    with ClusterKeeper(small(data)) as second:
        assert not second.cluster.owned
        first.stop()
        assert wait_until(lambda: second.cluster.owned and answers(second.cluster))
    assert first.folder.server_pids() == []


@pytest.mark.slow
def test_a_damaged_state_file_is_as_good_as_none(data: Path) -> None:
    deep = data / ("deep" * 25)
    with small(deep) as first:
        socket = first.socket
    for damage in (b"", b"{", b"[]", b"\xff\xfe", b'{"socket": 7}'):
        (deep / "state.json").write_bytes(damage)
        with small(deep) as again:
            assert again.socket != socket
            assert answers(again)
