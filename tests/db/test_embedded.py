"""The embedded server: private, one per data folder, ends with its starter, survives crashes."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo
from waiting import wait_until

from guardia.db import embedded, installation
from guardia.db.account import SystemAccount
from guardia.db.cluster_folder import ClusterFolder
from guardia.db.embedded import APPLICATION_ROLE, FAST_SETTINGS, OWNER_ROLE, REPORTING_ROLE, Cluster
from guardia.errors import Misconfigured

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the account")
STARTER = """
import sys, time
from pathlib import Path
from guardia.db.embedded import FAST_SETTINGS, Cluster
cluster = Cluster(Path(sys.argv[1]), settings=FAST_SETTINGS).start()
cluster.create_roles()
print("owned" if cluster.owned else "attached", cluster.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def data(home: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="data-", dir=home))
    folder.chmod(0o711)
    yield folder / "pg"
    shutil.rmtree(folder)


def small(data: Path) -> Cluster:
    return Cluster(data, settings=FAST_SETTINGS)


def starter(data: Path) -> subprocess.Popen[str]:
    program = [sys.executable, "-c", STARTER, str(data)]
    return subprocess.Popen(program, stdout=subprocess.PIPE, text=True)


def first_line(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


def server_pids(data: Path) -> list[int]:
    return ClusterFolder(data).server_pids()


def wait_until_gone(data: Path) -> bool:
    return wait_until(lambda: not server_pids(data))


def test_roles_have_only_their_own_rights(cluster: Cluster) -> None:
    with psycopg.connect(cluster.dsn(OWNER_ROLE)) as owner:
        rows = owner.execute(
            "select rolname, rolsuper, rolcreaterole from pg_roles where rolname like 'guardia%'"
        ).fetchall()
        roles = (APPLICATION_ROLE, OWNER_ROLE, REPORTING_ROLE)
        assert sorted(rows) == [(role, False, False) for role in roles]
        owner.execute("create table t_owned (n int)")
        owner.rollback()
    with (
        psycopg.connect(cluster.dsn(APPLICATION_ROLE)) as app,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        app.execute("create table t_app (n int)")


def test_create_roles_twice_changes_nothing(cluster: Cluster) -> None:
    before = cluster.dsn()
    cluster.create_roles()
    assert cluster.dsn() == before


def test_a_wrong_password_is_refused_and_tcp_is_closed(cluster: Cluster) -> None:
    wrong = cluster.dsn().replace(cluster.password(OWNER_ROLE), "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)
    with psycopg.connect(cluster.dsn()) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("",)
        assert connection.execute("show data_checksums").fetchone() == ("on",)
        assert connection.execute("select upper('é가')").fetchone() == ("É가",)


def test_secrets_are_private(cluster: Cluster) -> None:
    for name in ("passwords.json", "keeper.lock", "server.lock", "server.log"):
        assert stat.S_IMODE((cluster.data / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(cluster.socket.stat().st_mode) == 0o700
    arguments = Path(f"/proc/{cluster.pid}/cmdline").read_bytes()
    assert cluster.password(OWNER_ROLE).encode() not in arguments


def test_psql_finds_the_server_without_a_password_in_its_arguments(cluster: Cluster) -> None:
    psql = [str(installation.binaries() / "psql"), "-XAtc", "select current_user"]
    done = subprocess.run(psql, env=cluster.psql_env(), capture_output=True, text=True, check=True)
    assert done.stdout == f"{OWNER_ROLE}\n"


@pytest.mark.slow
def test_a_port_opens_tcp_on_loopback(data: Path) -> None:
    with Cluster(data, port=_free_port(), settings=FAST_SETTINGS) as running:
        over_tcp = conninfo.make_conninfo(
            running.dsn("postgres", "postgres"), host="127.0.0.1", port=running.port
        )
        with psycopg.connect(over_tcp) as connection:
            assert connection.execute("show listen_addresses").fetchone() == ("127.0.0.1",)


@pytest.mark.slow
def test_a_second_starter_attaches_and_leaves_the_server_running(data: Path) -> None:
    with small(data) as first:
        with small(data) as second:
            assert not second.owned
            assert second.pid == first.pid
            assert second.dsn("postgres", "postgres") == first.dsn("postgres", "postgres")
        assert first.ready()
    assert server_pids(data) == []


@pytest.mark.slow
def test_two_processes_at_once_share_one_server(data: Path) -> None:
    both = [starter(data), starter(data)]
    try:
        (how_a, pid_a), (how_b, pid_b) = (first_line(process) for process in both)
        assert {how_a, how_b} == {"owned", "attached"}
        assert pid_a == pid_b
    finally:
        for process in both:
            kill(process)
    assert wait_until_gone(data)


@pytest.mark.slow
def test_kill_9_of_the_starter_leaves_nothing_running(data: Path) -> None:
    process = starter(data)
    assert first_line(process)[0] == "owned"
    assert server_pids(data)
    kill(process)
    assert wait_until_gone(data)
    with small(data) as again, psycopg.connect(again.dsn()) as connection:
        assert connection.execute("select current_user").fetchone() == (OWNER_ROLE,)


@pytest.mark.slow
def test_a_server_that_outlived_its_starter_is_replaced(data: Path) -> None:
    process = starter(data)
    pid = int(first_line(process)[1])
    os.kill(pid, signal.SIGSTOP)  # so it cannot react to the end of its starter
    kill(process)
    assert server_pids(data)
    with small(data) as again:
        assert again.owned
        assert again.pid != pid


@pytest.mark.slow
def test_a_crashed_server_recovers(data: Path) -> None:
    with Cluster(data, settings={"fsync": "off"}) as first:
        first.create_roles()
        with psycopg.connect(first.dsn()) as connection:
            connection.execute("create table kept as select 7 as n")
        assert first.pid
        os.kill(first.pid, signal.SIGKILL)
        assert wait_until_gone(data)
    with small(data) as again, psycopg.connect(again.dsn()) as connection:
        assert connection.execute("select n from kept").fetchone() == (7,)


@pytest.mark.slow
def test_a_pid_file_of_another_process_is_ignored(data: Path) -> None:
    with small(data):
        pass
    (data / "pgdata" / "postmaster.pid").write_text(f"{os.getpid()}\n{data}/pgdata\n")
    with small(data) as again:
        assert again.owned


@pytest.mark.slow
def test_a_first_start_that_was_killed_half_way_is_repeated(data: Path) -> None:
    (data / "pgdata.new" / "base").mkdir(parents=True)
    data.chmod(0o711)
    with small(data) as running:
        assert running.ready()


@pytest.mark.slow
def test_the_server_outlives_the_thread_that_started_it(data: Path) -> None:
    running = small(data)
    thread = threading.Thread(target=running.start)
    thread.start()
    thread.join()
    time.sleep(0.3)
    assert running.ready()
    running.stop()


@pytest.mark.slow
def test_a_deep_folder_gets_a_short_socket_that_is_removed(data: Path) -> None:
    deep = data / ("deep" * 25)
    with small(deep) as running:
        socket = running.socket
        assert deep not in socket.parents
        assert small(deep).socket == socket
    assert not socket.exists()


@pytest.mark.slow
def test_lost_passwords_are_reported_with_their_file(data: Path) -> None:
    with small(data):
        pass
    (data / "passwords.json").unlink()
    with pytest.raises(Misconfigured, match=r"passwords\.json"):
        small(data).start()


@pytest.mark.slow
def test_a_failed_start_reports_the_server_log(data: Path) -> None:
    with pytest.raises(Misconfigured, match="shared_buffers"):
        Cluster(data, settings={"shared_buffers": "nonsense"}).start()
    assert server_pids(data) == []


@as_root
def test_root_hands_the_server_to_an_unprivileged_account(cluster: Cluster) -> None:
    assert Path(f"/proc/{cluster.pid}").stat().st_uid != 0


@as_root
def test_an_unreachable_parent_folder_is_reported(data: Path) -> None:
    data.parent.chmod(0o700)
    with pytest.raises(Misconfigured, match=str(data.parent)):
        small(data).start()


@pytest.mark.slow
@as_root
def test_binaries_below_a_private_folder_are_copied(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = data.parent / "hidden"
    source = installation.installation()
    shutil.copytree(source, hidden / "package" / source.name)
    libraries = f"{source.parent.name}.libs"
    shutil.copytree(source.parents[1] / libraries, hidden / libraries)
    hidden.chmod(0o700)
    monkeypatch.setattr(embedded, "installation", lambda: hidden / "package" / source.name)
    copies = data.parent / "new" / "copies"
    umask = os.umask(0o077)
    try:
        with Cluster(data, settings=FAST_SETTINGS, copies=copies) as running:
            assert running.binaries().is_relative_to(copies)
            assert running.ready()
    finally:
        os.umask(umask)


def test_obstacles_depend_on_the_accounts_own_rights(tmp_path: Path) -> None:
    mine = SystemAccount("me", os.geteuid(), os.getegid())
    other = SystemAccount("other", 65533, 65533)
    tmp_path.chmod(0o700)
    assert mine.obstacle(tmp_path) is None
    assert other.obstacle(tmp_path) is not None


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
