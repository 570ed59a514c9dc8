"""The database tools against a real PostgreSQL, over real SSH."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import jmespath
import psycopg
import pytest
from waiting import PATIENCE, wait_until

from guardia.board.core.plan import ToolCall
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.errors import CommandFailed
from guardia.org.directory import Host, Service
from guardia.tools import planning
from guardia.tools.transport.connections import Connections

pytestmark = pytest.mark.ssh
Look = Callable[..., dict[str, Any]]
NAME = "tools_budgetdb"
SERVICE = Service(name="budgetdb", kind="postgresql", port=5432, database=NAME)
STRANGER = Service(name="strange", kind="postgresql", port=5432, database=NAME)


@pytest.fixture(scope="module")
def budgetdb(cluster: Cluster) -> Iterator[Cluster]:
    cluster.create_database(NAME, owner=OWNER_ROLE)
    with psycopg.connect(cluster.dsn(OWNER_ROLE, NAME)) as connection:
        connection.execute("create table budget (id int primary key, won bigint)")
        connection.execute("insert into budget select n, 0 from generate_series(1, 9) n")
    yield cluster
    cluster.drop_database(NAME)


def write_password_files(cluster: Cluster, folder: Path) -> dict[str, str]:
    """Write what an administrator puts into the account's home: services and passwords."""
    services, passwords = [], []
    for service, role in (("budgetdb", OWNER_ROLE), ("strange", APPLICATION_ROLE)):
        where = cluster.psql_env(role, NAME)
        services.append(
            f"[{service}]\nhost={where['PGHOST']}\nport={where['PGPORT']}\n"
            f"dbname={NAME}\nuser={role}\n"
        )
        password = where["PGPASSWORD"].replace("\\", "\\\\").replace(":", "\\:")
        passwords.append(f"*:*:{NAME}:{role}:{password}\n")
    (folder / "pg_service.conf").write_text("".join(services))
    (folder / "pgpass").write_text("".join(passwords))
    (folder / "pgpass").chmod(0o600)
    return {
        "PATH": where["PATH"],
        "PGSERVICEFILE": str(folder / "pg_service.conf"),
        "PGPASSFILE": str(folder / "pgpass"),
    }


@pytest.fixture(scope="module")
def server(
    budgetdb: Cluster, start_sshd: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    folder = tmp_path_factory.mktemp("account")
    return start_sshd(environment=write_password_files(budgetdb, folder))


@pytest.fixture(scope="module")
def host(server: Any) -> Host:
    found: Host = server.host(SERVICE, STRANGER)
    return found


@pytest.fixture(scope="module")
def look(server: Any, host: Host) -> Iterator[Look]:
    with Connections(server) as connections:

        def call(tool_name: str, /, service: str = "budgetdb", **args: Any) -> dict[str, Any]:
            whole = ToolCall(tool=tool_name, args={"service": service, **args})
            tool, _, command = planning.prepare(whole, host)
            found: dict[str, Any] = tool.parse(connections.run(host, command, timeout=tool.timeout))
            return found

        yield call


class Sessions:
    """Sessions that each run one statement and then wait, in threads of their own."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._open: list[psycopg.Connection[Any]] = []
        self._threads: list[threading.Thread] = []

    def idle(self, sql: str, application: str = "batch", role: str = OWNER_ROLE) -> int:
        """Start a transaction that runs `sql` and stays idle. Returns its process id."""
        connection = self._connect(application, role)
        connection.execute(sql.encode())
        return connection.info.backend_pid

    def waiting(self, *statements: str) -> int:
        """Start a transaction whose last statement waits for a lock. Returns its process id."""
        connection = self._connect("web")
        for sql in statements[:-1]:
            connection.execute(sql.encode())

        def wait() -> None:
            with suppress(psycopg.Error):
                connection.execute(statements[-1].encode())

        self._threads.append(threading.Thread(target=wait, daemon=True))
        self._threads[-1].start()
        self._until_waiting(connection.info.backend_pid)
        return connection.info.backend_pid

    def age(self, pid: int) -> float:
        """Return the seconds since the transaction of a session began, by the server's clock."""
        query = (
            "select extract(epoch from clock_timestamp() - xact_start)::float8"
            " from pg_stat_activity where pid = %s"
        )
        with psycopg.connect(self._cluster.dsn(OWNER_ROLE, NAME)) as connection:
            row = connection.execute(query, (pid,)).fetchone()
        assert row is not None
        return float(row[0])

    def close(self) -> None:
        for connection in self._open:
            with suppress(psycopg.Error):
                connection.cancel_safe()
        for thread in self._threads:
            thread.join(PATIENCE)
        for connection in self._open:
            connection.close()

    def _connect(self, application: str, role: str = OWNER_ROLE) -> psycopg.Connection[Any]:
        dsn = self._cluster.dsn(role, NAME)
        self._open.append(psycopg.connect(dsn, application_name=application))
        return self._open[-1]

    def _until_waiting(self, pid: int) -> None:
        sql = "select count(*) from pg_locks where pid = %s and not granted"
        with psycopg.connect(self._cluster.dsn(OWNER_ROLE, NAME), autocommit=True) as watch:
            for _ in range(500):
                if watch.execute(sql, [pid]).fetchone() != (0,):
                    return
                time.sleep(0.01)
        raise AssertionError("it does not wait")


@pytest.fixture
def sessions(budgetdb: Cluster) -> Iterator[Sessions]:
    opened = Sessions(budgetdb)
    yield opened
    opened.close()


def test_an_idle_database(look: Look) -> None:
    assert look("database.locks") == {"waiting": 0, "roots": [], "waiters": []}


class TestChain:
    UPDATE = "update budget set won = won + 1 where id = {}"

    def test_the_root_session_is_found(self, look: Look, sessions: Sessions) -> None:
        """An idle transaction, one that waits for it, and one that waits for the second."""
        root = sessions.idle(self.UPDATE.format(1))
        second = sessions.waiting(self.UPDATE.format(2), self.UPDATE.format(1))
        third = sessions.waiting(self.UPDATE.format(2))
        before = sessions.age(root)
        found = look("database.locks")
        assert found["waiting"] == 2
        (only,) = found["roots"]
        assert only["pid"] == root
        assert only["state"] == "idle in transaction"
        assert only["application"] == "batch"
        assert only["user"] == OWNER_ROLE
        assert only["query"] == self.UPDATE.format(1)
        assert only["blocked"] == 2
        assert round(before, 1) <= only["xact_seconds"] <= round(sessions.age(root), 1)
        waiters = {w["pid"]: w for w in found["waiters"]}
        assert waiters[second]["blocked_by"] == [root]
        assert waiters[third]["blocked_by"] == [second]
        assert all(0 <= w["seconds"] <= round(sessions.age(pid), 1) for pid, w in waiters.items())

    def test_two_chains_have_two_roots_larger_first(self, look: Look, sessions: Sessions) -> None:
        small, great = (sessions.idle(self.UPDATE.format(n)) for n in (1, 2))
        sessions.waiting(self.UPDATE.format(1))
        for _ in range(2):
            sessions.waiting(self.UPDATE.format(2))
        roots = look("database.locks")["roots"]
        assert [(r["pid"], r["blocked"]) for r in roots] == [(great, 2), (small, 1)]

    def test_queries_are_truncated_and_secrets_masked(self, look: Look, sessions: Sessions) -> None:
        sessions.idle(self.UPDATE.format(1) + " /* password=hunter2 " + "x" * 500 + " */")
        sessions.waiting(self.UPDATE.format(1))
        (root,) = look("database.locks")["roots"]
        assert "hunter2" not in root["query"]
        assert len(root["query"]) <= 200

    def test_another_role_sees_the_chain_without_the_queries(
        self, look: Look, sessions: Sessions
    ) -> None:
        root = sessions.idle(self.UPDATE.format(1))
        sessions.waiting(self.UPDATE.format(1))
        found = look("database.locks", service="strange")
        assert found["waiting"] == 1
        assert [r["pid"] for r in found["roots"]] == [root]


class TestTermination:
    def test_only_sessions_that_the_account_may_end_are_planned(
        self, look: Look, host: Host, sessions: Sessions, budgetdb: Cluster
    ) -> None:
        """A superuser's session is left to people before anything is planned or approved."""
        admin = psycopg.connect(budgetdb.dsn(budgetdb.superuser, NAME), autocommit=True)
        admin.execute(f"grant pg_monitor to {OWNER_ROLE}")
        own = sessions.idle(TestChain.UPDATE.format(1))
        superuser = sessions.idle(TestChain.UPDATE.format(2), role=budgetdb.superuser)
        for number in (1, 2):
            sessions.waiting(TestChain.UPDATE.format(number))
        roots = {r["pid"]: r for r in look("database.locks")["roots"]}
        assert {pid: r["may_terminate"] for pid, r in roots.items()} == {
            own: True,
            superuser: False,
        }
        args = {k: roots[superuser][k] for k in ("pid", "backend_start")}
        whole = {"service": "budgetdb", **args}
        action = planning.propose(ToolCall(tool="database.terminate_session", args=whole), host)
        (check,) = action.precheck
        assert not jmespath.search(check.expect, look(check.call.tool, **check.call.args))
        with pytest.raises(CommandFailed):
            look("database.terminate_session", **args)
        admin.execute(f"revoke pg_monitor from {OWNER_ROLE}")
        admin.close()

    def test_a_right_to_signal_sessions_counts(
        self, look: Look, sessions: Sessions, budgetdb: Cluster
    ) -> None:
        sessions.idle(TestChain.UPDATE.format(1))
        sessions.waiting(TestChain.UPDATE.format(1))

        def may_stranger() -> bool:
            (root,) = look("database.locks", service="strange")["roots"]
            return bool(root["may_terminate"])

        admin = psycopg.connect(budgetdb.dsn(budgetdb.superuser, NAME), autocommit=True)
        assert not may_stranger()
        admin.execute(f"grant pg_signal_backend to {APPLICATION_ROLE}")
        assert may_stranger()
        admin.execute(f"revoke pg_signal_backend from {APPLICATION_ROLE}")
        admin.close()

    def test_the_chain_is_released_and_every_check_passes(
        self, look: Look, host: Host, sessions: Sessions
    ) -> None:
        sessions.idle(TestChain.UPDATE.format(1))
        sessions.waiting(TestChain.UPDATE.format(1))
        (root,) = look("database.locks")["roots"]
        args = {k: root[k] for k in ("pid", "backend_start")}
        whole = {"service": "budgetdb", **args}
        action = planning.propose(ToolCall(tool="database.terminate_session", args=whole), host)

        def holds(checks: Any) -> list[bool]:
            return [
                bool(jmespath.search(c.expect, look(c.call.tool, **c.call.args))) for c in checks
            ]

        assert holds(action.precheck) == [True]
        assert holds(action.verify) == [False]
        assert look("database.terminate_session", **args) == {"acted": True}
        assert wait_until(lambda: holds(action.verify) == [True])
        assert holds(action.precheck) == [False]
        assert look("database.locks")["roots"] == []
        assert look("database.terminate_session", **args) == {"acted": False}

    def test_a_later_session_with_the_same_pid_is_left_alone(
        self, look: Look, sessions: Sessions
    ) -> None:
        pid = sessions.idle("select 1")
        other = "2020-01-01T00:00:00.000000Z"
        found = look("database.terminate_session", pid=pid, backend_start=other)
        assert found == {"acted": False}
        assert look("database.session", pid=pid, backend_start=other)["present"] is False
        assert look("database.activity")["sessions"] == 1

    def test_a_role_without_permission_gets_an_error(self, look: Look, sessions: Sessions) -> None:
        sessions.idle(TestChain.UPDATE.format(1))
        sessions.waiting(TestChain.UPDATE.format(1))
        (root,) = look("database.locks")["roots"]
        args = {k: root[k] for k in ("pid", "backend_start")}
        # It cannot even see the other role's start, so there is nothing that it could terminate.
        with suppress(CommandFailed):
            acted = look("database.terminate_session", service="strange", **args)
            assert acted == {"acted": False}
        assert look("database.locks")["waiting"] == 1


def test_activity_counts_sessions(look: Look, sessions: Sessions) -> None:
    assert look("database.activity")["sessions"] == 0
    oldest = sessions.idle("select 1")
    sessions.idle("select 2")
    time.sleep(0.2)
    before = sessions.age(oldest)
    found = look("database.activity")
    assert (found["sessions"], found["active"], found["idle_in_transaction"]) == (2, 0, 2)
    assert round(before, 1) <= found["longest_seconds"] <= round(sessions.age(oldest), 1)


def test_no_secret_is_on_a_command_line(server: Any, host: Host, budgetdb: Cluster) -> None:
    _, _, command = planning.prepare(
        ToolCall(tool="database.locks", args={"service": "budgetdb"}), host
    )
    secret = budgetdb.psql_env(OWNER_ROLE, NAME)["PGPASSWORD"]
    assert secret not in command.render()


def test_a_service_unknown_to_the_account(look: Look, server: Any) -> None:
    unknown = server.host(Service(name="nowhere", kind="postgresql"))
    tool, _, command = planning.prepare(
        ToolCall(tool="database.locks", args={"service": "nowhere"}), unknown
    )
    with Connections(server) as connections, pytest.raises(CommandFailed, match="nowhere"):
        tool.parse(connections.run(unknown, command, timeout=PATIENCE))
