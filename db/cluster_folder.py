"""Data folder of an embedded PostgreSQL: its files, passwords, state, socket and log."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from guardia.db.account import SystemAccount, server_account
from guardia.db.private_files import make_folders, read_json, write_json
from guardia.errors import Misconfigured
from guardia.i18n import t

_SOCKET_PATH_LIMIT = 100  # the kernel allows 107 bytes for a socket's path
_LOG_LIMIT = 10_000_000


class ClusterFolder:
    """Everything that one cluster keeps on disk."""

    def __init__(self, path: Path, log: Path | None = None) -> None:
        self.path = path.absolute()
        self.log = log or self.path / "server.log"

    @property
    def files(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.path / "pgdata"

    def account(self) -> SystemAccount | None:
        """Return the account that runs the server, or `None` for our own."""
        return server_account(self.files)

    def prepare(self) -> None:
        """Create the folder. Raises `Misconfigured` if the server's account cannot reach it."""
        account = self.account()
        make_folders(self.path, 0o700 if account is None else 0o711)
        obstacle = account.obstacle(self.path) if account else None
        if account and obstacle:
            why = t("db.embedded.unreachable", account=account.name, folder=obstacle)
            raise Misconfigured(what=str(self.path), why=why)

    # --- passwords --------------------------------------------------------------------------

    @property
    def password_file(self) -> Path:
        """Passwords by role, as JSON."""
        return self.path / "passwords.json"

    def password(self, role: str) -> str:
        """Return a role's password. Raises `Misconfigured` if it is lost."""
        found = read_json(self.password_file).get(role)
        if found is None:
            raise Misconfigured(
                what=str(self.password_file), why=t("db.embedded.no_password", role=role)
            )
        return str(found)

    def ensure_password(self, role: str) -> str:
        """Return a role's password; create and store it first if there is none.

        Storing it before the role is created loses nothing if we crash in between.
        """
        known = read_json(self.password_file)
        if role not in known:
            known[role] = secrets.token_urlsafe(24)
            write_json(self.password_file, known)
        return str(known[role])

    # --- state of the running server --------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return what is known about the running server; empty if there is none."""
        return read_json(self.path / "state.json")

    def write_state(self, state: dict[str, Any]) -> None:
        """Store process id, starter, port and socket of a server that was just started."""
        write_json(self.path / "state.json", state)

    def remove_state(self) -> None:
        """Delete the state and a socket folder outside of this one."""
        socket = self.socket
        if socket != self.path / "run":
            shutil.rmtree(socket, ignore_errors=True)
        (self.path / "state.json").unlink(missing_ok=True)

    @property
    def socket(self) -> Path:
        """The folder of the running server's Unix socket."""
        return Path(self.state().get("socket", self.path / "run"))

    def make_socket_folder(self) -> Path:
        """Create a private folder for the socket, elsewhere if its path here is too long."""
        account, folder = self.account(), self.path / "run"
        if len(os.fsencode(folder / ".s.PGSQL.65535.lock")) > _SOCKET_PATH_LIMIT:
            base = os.environ.get("XDG_RUNTIME_DIR") if account is None else None
            folder = Path(tempfile.mkdtemp(prefix="guardia-", dir=base or "/tmp"))
        make_private(folder, account)
        return folder

    def remove_pid_file(self) -> None:
        """Delete a leftover pid file: its number may by now belong to another process."""
        (self.files / "postmaster.pid").unlink(missing_ok=True)

    def reports_ready(self) -> bool:
        """Return whether the pid file says that the server is ready.

        pg_ctl looks at the same line, and unlike pg_isready it costs no process.
        """
        with suppress(OSError):
            lines = (self.files / "postmaster.pid").read_text("ascii").splitlines()
            return len(lines) >= 8 and lines[7].strip() == "ready"
        return False

    def server_pids(self) -> list[int]:
        """Return this cluster's live processes: each has the files as its working directory."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and (entry / "cwd").readlink() == self.files.resolve():
                    found.append(int(entry.name))
        return found

    # --- log --------------------------------------------------------------------------------

    def open_log(self) -> BinaryIO:
        """Open the server's log for appending; a large one is moved aside first."""
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        return os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")

    def last_log_lines(self) -> str:
        """Return the end of the log in one line, for an error message."""
        if not self.log.exists():
            return ""
        lines = self.log.read_text("utf-8", errors="replace").splitlines()
        return " / ".join(lines[-3:])[:600]


def make_private(folder: Path, account: SystemAccount | None) -> None:
    """Create a folder that only the account can enter."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if account is not None:
        os.chown(folder, account.uid, account.gid)
