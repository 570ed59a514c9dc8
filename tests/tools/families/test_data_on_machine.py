"""Changes on a whole Debian machine: pre-check, run, verify, undo, verify, as an account that may
do exactly what the tools' rights name."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import jmespath
import psycopg
import pytest
from machine_tools import rights_of_tool
from waiting import PATIENCE, wait_until

from guardia.board.core.plan import Check, ToolCall
from guardia.org.directory import Facts, Host, Service
from guardia.tools import catalog, planning
from guardia.tools.transport.connections import Connections

pytestmark = [pytest.mark.machines, pytest.mark.slow]

PASSWORD = "pw'\"\\# x"
PROGRAMS = (
    *(
        f"/usr/bin/{name}"
        for name in (
            "psql", "mariadb", "mysql", "passwd", "chage", "systemctl", "openssl", "cp", "mv",
        )
    ),
    "/usr/sbin/faillock",
    "/usr/sbin/nginx",
)  # fmt: skip


class Site:
    """The machine as a server of the CMDB, with the tools' rights in its sudoers."""

    def __init__(self, machine: Any) -> None:
        self.machine = machine
        self.connections = Connections(self)
        self.services: tuple[Service, ...] = ()

    def get(self, name: str) -> str:
        """Return a credential: the account's key, or the databases' password."""
        return Path(self.machine.key).read_text() if name == "key" else PASSWORD

    @property
    def host(self) -> Host:
        machine = self.machine
        return Host(
            server_id="REAL-01",
            institution="TEST",
            kind="DB",
            address=machine.address,
            port=machine.ssh_port,
            account=machine.account,
            host_key=" ".join(machine.host_key.split()[:2]),
            credential="key",
            facts=Facts(programs=PROGRAMS),
            services=self.services,
        )

    def allow(self, *services: Service) -> None:
        """Register services, and permit what the tools need for them."""
        self.services = services
        rights = {
            " ".join(right)
            for tool in catalog.CATALOG.values()
            for service in services
            if service.kind in tool.kinds
            for right in rights_of_tool(tool, self.host, service)
            if right[0].startswith("/")
        }
        lines = [f"{self.machine.account} ALL=(root) NOPASSWD: {right}" for right in sorted(rights)]
        text = "\n".join(lines).replace("'", "")
        file = "/etc/sudoers.d/tools"
        self.machine.must(f"printf '%s\n' '{text}' > {file}; chmod 440 {file}; visudo -qc")

    def read(self, tool_name: str, /, **args: Any) -> dict[str, Any]:
        """Run one tool and return its findings."""
        tool, _, command = planning.prepare(ToolCall(tool=tool_name, args=args), self.host)
        output = self.connections.run(self.host, command, timeout=tool.timeout)
        found: dict[str, Any] = tool.parse(output)
        return found

    def hold(self, checks: tuple[Check, ...]) -> bool:
        """Return whether all checks hold within their time."""
        return all(self._holds(check) for check in checks)

    def _holds(self, check: Check) -> bool:
        deadline = time.monotonic() + check.within
        while True:
            found = self.read(check.call.tool, **check.call.args)
            if jmespath.search(check.expect, found):
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.2)

    def change(self, tool: str, **args: Any) -> None:
        """Run a change as a plan does: check, run, verify, then undo and verify."""
        action = planning.propose(ToolCall(tool=tool, args=args), self.host)
        assert "debian-12" in catalog.find(tool).tried_on
        assert self.hold(action.precheck)
        assert not self.hold(action.verify), "it was as planned before"
        self.read(tool, **action.call.args)
        assert self.hold(action.verify)
        if action.undo is not None:
            self.read(action.undo.tool, **action.undo.args)
            assert self.hold(action.undo_verify)


@pytest.fixture
def site(machine: Any) -> Iterator[Site]:
    found = Site(machine)
    yield found
    found.connections.close()


def test_accounts(site: Site) -> None:
    site.machine.must(
        "cd /; id hong || useradd -m -s /bin/bash hong; echo hong:Secret123 | chpasswd"
    )
    site.allow(Service(name="hong", kind="account", login="hong"))
    site.change("account.lock", service="hong")
    site.machine.must("passwd -l hong")
    site.change("account.unlock", service="hong")
    rules = "auth required pam_faillock.so preauth\\nauth [default=die] pam_faillock.so authfail"
    site.machine.must(
        "passwd -u hong; faillock --user hong --reset;"
        f" grep -q faillock /etc/pam.d/su || sed -i '1i {rules}' /etc/pam.d/su;"
        f" for n in 1 2 3; do echo no | runuser -u {site.machine.account} -- su hong -c true; done"
        " || true"
    )
    found = site.read("account.status", service="hong")
    assert (found["failures"], found["refused"]) == (3, True)
    site.change("account.clear_failures", service="hong")


def test_a_timer(site: Site) -> None:
    site.machine.must(
        "cd /etc/systemd/system; printf '[Service]\\nExecStart=/bin/false\\n' > n.service;"
        " printf '[Timer]\\nOnCalendar=daily\\n[Install]\\nWantedBy=timers.target\\n' > n.timer;"
        " systemctl daemon-reload; systemctl disable --now n.timer; systemctl start n.service"
    )
    site.allow(Service(name="nightly", kind="timer", unit="n.timer"))
    found = site.read("schedule.timer", service="nightly")
    assert (found["state"], found["result"]) == ("off", "exit-code")
    site.change("schedule.set_timer", service="nightly", state="on", previous="off")
    site.change("schedule.set_timer", service="nightly", state="until-boot", previous="off")


def test_old_files_that_use_up_the_inodes(site: Site) -> None:
    machine = site.machine
    machine.must(
        "mkdir -p /var/spool/s /var/lib/kept; mountpoint -q /var/spool/s ||"
        " mount -t tmpfs -o size=20m,nr_inodes=400,mode=755 tmpfs /var/spool/s;"
        " mkdir -p /var/spool/s/세션; cd /var/spool/s/세션; seq 300 | xargs touch -d '10 days ago';"
        " echo 새것 > 새것;"
        f" chown -R {machine.account} /var/spool/s /var/lib/kept"
    )
    site.allow(Service(name="spool", kind="files", logs="/var/spool/s", root="/var/lib/kept"))
    found = site.read("storage.old_files", service="spool", days=3)
    assert found["count"] == 300 and found["inode_percent"] > 70 and found["removable"]
    site.change("storage.clean_files", service="spool", days=3, id=found["id"])
    assert machine.must("cat /var/spool/s/세션/새것") == "새것\n"
    same = Service(name="spool", kind="files", logs="/var/spool/s", root="/var/spool/s")
    site.services = (same,)
    with pytest.raises(Exception, match="same volume"):
        site.read("storage.clean_files", service="spool", days=3, id="abcdef123456")


def test_a_certificate(site: Site) -> None:
    machine, name = site.machine, "www.agency.example"
    folder, home = "/etc/nginx/tls", f"/home/{machine.account}/new"
    machine.must(
        f'rm -rf {home}; mkdir -p {home}; cd {home}; make() {{ openssl "$@" 2>/dev/null; }};'
        ' create() { make req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "$@"; };'
        " create -x509 -keyout ca.key -out ca.pem -days 999 -subj /CN=CA;"
        f" create -keyout site.key -out r.csr -subj /CN={name};"
        f" printf 'subjectAltName=DNS:{name}' > ext;"
        " make x509 -req -in r.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 900"
        " -extfile ext -out leaf.pem; cat leaf.pem ca.pem > chain.pem;"
        f" chown -R {machine.account} .; chmod 600 *.key"
    )
    service = Service(
        name="web-tls",
        kind="tls",
        product="nginx",
        unit="nginx.service",
        address=machine.address,
        port=machine.ports["https"],
        tls_names=(name,),
        certificate=f"{folder}/site.crt",
        certificate_key=f"{folder}/site.key",
    )
    site.allow(service)
    files = {"source": f"{home}/chain.pem", "source_key": f"{home}/site.key"}
    found = site.read("certificate.candidate", service="web-tls", **files)
    assert found["usable"] and found["served_sha256"] == found["installed"]["sha256"]
    without = site.read("certificate.candidate", service="web-tls", source=files["source"])
    assert not without["usable"] and not without["candidate"]["key_matches"]
    both = {"sha256": found["candidate"]["sha256"], "previous": found["installed"]["sha256"]}
    site.change("certificate.renew", service="web-tls", **files, **both)
    # A configuration that the web server refuses: the old files return.
    machine.must("echo broken > /etc/nginx/conf.d/broken.conf")
    with pytest.raises(Exception, match="old files are back"):
        site.read("certificate.renew", service="web-tls", **files, **both)
    machine.must(f"rm /etc/nginx/conf.d/broken.conf; [ ! -e {folder}/site.key.guardia-new ]")
    after = site.read("certificate.files", service="web-tls")
    assert after["installed"] == found["installed"]


def test_integrity(site: Site) -> None:
    site.machine.must(f"rm -rf /home/{site.machine.account}/.guardia /etc/budget")
    site.machine.must("mkdir -p /etc/budget; echo 1 > /etc/budget/a; echo 2 > '/etc/budget/b c'")
    site.services = (Service(name="budget", kind="http", config="/etc/budget"),)
    digest = site.read("integrity.scan", service="budget")["digest"]
    words = {"service": "budget", "digest": digest, "previous": "none"}
    site.change("integrity.set_baseline", **words)
    site.read("integrity.set_baseline", **words)
    site.machine.must("echo 3 > '/etc/budget/b c'; rm /etc/budget/a; touch /etc/budget/d")
    found = site.read("integrity.scan", service="budget")
    assert {d["path"].rpartition("/")[2]: d["change"] for d in found["differences"]} == {
        "a": "removed",
        "b c": "changed",
        "d": "added",
    }


class TestPostgreSQL:
    @pytest.fixture
    def connect(self, site: Site) -> Callable[..., Any]:
        """Make a role that is no superuser, and return a way to connect as it."""
        password = PASSWORD.replace("'", "''")
        sql = (
            "do $do$ begin create role guardia login; exception when others then null; end $do$;"
            f" alter role guardia password '{password}';"
            " grant pg_signal_backend, pg_monitor to guardia;"
            " create table if not exists lockme(id int primary key);"
            " alter table lockme owner to guardia;"
        )
        site.machine.must(f"runuser -u postgres -- psql -qd minwon -c {shell(sql)}")
        where = {"host": site.machine.address, "port": site.machine.ports["postgresql"]}
        service = Service(
            name="minwondb",
            kind="postgresql",
            address=str(where["host"]),
            port=int(where["port"]),
            database="minwon",
            login="guardia",
            credential="database",
        )
        site.allow(service)
        login = {"dbname": "minwon", "user": "guardia", "password": PASSWORD}
        return lambda **more: psycopg.connect(**where, **login, **more)

    def test_a_query_a_session_and_a_table(self, site: Site, connect: Callable[..., Any]) -> None:
        first, second = connect(application_name="slow"), connect(application_name="app")
        second.execute("lock table lockme in exclusive mode")
        waiter = start_query(first, "insert into lockme values (1)")
        assert wait_until(lambda: site.read("database.locks", service="minwondb")["waiting"] == 1)
        (query,) = site.read("database.queries", service="minwondb")["queries"]
        names = ("pid", "backend_start", "query_start")
        site.change("database.cancel_query", service="minwondb", **{n: query[n] for n in names})
        assert waiter()
        first.rollback()
        waiter = start_query(first, "insert into lockme values (1)")
        assert wait_until(lambda: site.read("database.locks", service="minwondb")["waiting"] == 1)
        (root,) = site.read("database.locks", service="minwondb")["roots"]
        names = ("pid", "backend_start")
        site.change("database.terminate_session", service="minwondb", **{n: root[n] for n in names})
        waiter()
        first.close()
        site.change("database.vacuum", service="minwondb", namespace="public", table="lockme")
        tables = site.read("database.tables", service="minwondb")["tables"]
        assert {t["table"]: t["may_maintain"] for t in tables} == {"lockme": True, "account": False}

    def test_capacity(self, site: Site, connect: Callable[..., Any]) -> None:
        assert site.read("database.connections", service="minwondb")["used"] >= 1
        assert site.read("database.size", service="minwondb")["bytes"] > 1_000_000
        assert site.read("database.replication", service="minwondb")["standby"] is False
        assert site.read("database.slow_queries", service="minwondb")["available"] is False


class TestMariaDB:
    @pytest.fixture
    def clients(self, site: Site) -> Iterator[Callable[[str], Any]]:
        """Make an account with CONNECTION ADMIN, and return a way to run SQL as an application."""
        password = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
        site.machine.must(
            "mariadb -e "
            + shell(
                f"create or replace user guardia@'%' identified by '{password}';"
                " grant process, connection admin, replica monitor on *.* to guardia@'%';"
                " create or replace user app@'%' identified by 'a';"
                " grant all on minwon.* to app@'%'"
            )
        )
        address, port = site.machine.address, site.machine.ports["mariadb"]
        site.allow(
            Service(
                name="maria",
                kind="mysql",
                address=address,
                port=port,
                login="guardia",
                credential="database",
            )
        )
        started: list[subprocess.Popen[bytes]] = []

        def run(sql: str) -> subprocess.Popen[bytes]:
            """Run SQL in the background."""
            words = ["mariadb", f"-h{address}", f"-P{port}", "-uapp", "-pa", "minwon", "-e", sql]
            started.append(subprocess.Popen(words, stdout=DEVNULL, stderr=DEVNULL))
            return started[-1]

        yield run
        for one in started:
            one.kill()
            one.wait()

    def test_a_query_and_a_session(self, site: Site, clients: Callable[[str], Any]) -> None:
        clients("select sleep(100)")
        busy = "sessions[?state=='User sleep'] | [0]"
        session = until(lambda: jmespath.search(busy, site.read("mysql.sessions", service="maria")))
        names = ("id", "user", "client")
        site.change("mysql.kill_query", service="maria", **{n: session[n] for n in names})
        clients("begin; update account set balance = balance; select sleep(100)")
        until(lambda: jmespath.search(busy, site.read("mysql.sessions", service="maria")))
        clients("update account set balance = balance")
        found = until(lambda: (f := site.read("mysql.locks", service="maria"))["roots"] and f)
        assert found["waiting"] == 1 and found["roots"][0]["may_kill"]
        root = found["roots"][0]
        site.change("mysql.kill_session", service="maria", **{n: root[n] for n in names})
        assert wait_until(lambda: site.read("mysql.locks", service="maria")["waiting"] == 0)

    def test_capacity(self, site: Site, clients: Callable[[str], Any]) -> None:
        assert site.read("mysql.connections", service="maria")["max"] > 1
        assert site.read("mysql.size", service="maria")["bytes"] >= 0
        assert site.read("mysql.replication", service="maria") == {
            "standby": False,
            "sources": [],
            "replicas": [],
        }
        assert site.read("mysql.slow_queries", service="maria")["available"] is False


def test_a_deleted_file_that_is_open(site: Site) -> None:
    site.machine.must(
        "systemctl stop holder 2>/dev/null; systemd-run --unit=holder bash -c "
        + shell("exec 9>/var/log/x; head -c 3000000 /dev/zero >&9; rm /var/log/x; sleep 999")
    )
    site.machine.must(
        f"echo '{site.machine.account} ALL=(root) NOPASSWD: ALL' > /etc/sudoers.d/tools"
    )
    assert wait_until(lambda: site.read("storage.deleted_open")["bytes"] >= 3_000_000)
    first = site.read("storage.deleted_open")["files"][0]
    assert (first["path"], first["unit"]) == ("/var/log/x", "holder.service")
    site.machine.must("systemctl stop holder; rm /etc/sudoers.d/tools")


def start_query(connection: Any, sql: str) -> Callable[[], bool]:
    """Run a query in a thread; return a function that waits for it and says whether it failed."""
    failed: list[bool] = []

    def run() -> None:
        try:
            connection.execute(sql)
        except psycopg.Error:
            failed.append(True)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def ended() -> bool:
        thread.join(PATIENCE)
        return bool(failed)

    return ended


def shell(text: str) -> str:
    """Quote a text for the machine's shell."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


def until(find: Callable[[], Any]) -> Any:
    """Return what is found as soon as it is there."""
    found: list[Any] = []
    assert wait_until(lambda: bool(found.append(find()) or found[-1]))
    return found[-1]
