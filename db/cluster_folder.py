"""Data folder of an embedded PostgreSQL: its files, passwords, state, socket and log."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from guardia.db.account import SystemAccount, server_account
from guardia.db.private_files import make_folders, open_private, read_json, write_json
from guardia.db.process import state_of
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

    # --- the running server -----------------------------------------------------------------

    def postmaster(self) -> int | None:
        """Return the process that serves these files, or `None`.

        The pid file only names a candidate; the kernel says whether it works in this folder.
        """
        lines = self._pid_file_lines()
        if not lines or not lines[0].isdigit():
            return None
        pid = int(lines[0])
        return pid if self.works_here(pid) and state_of(pid) != "Z" else None

    def reports_ready(self) -> bool:
        """Return whether a live server says in its pid file that it is ready.

        pg_ctl looks at the same line, and unlike pg_isready it costs no process.
        """
        lines = self._pid_file_lines()
        return len(lines) >= 8 and lines[7].strip() == "ready" and self.postmaster() is not None

    def port(self) -> int | None:
        """Return the port in the pid file, or `None`."""
        lines = self._pid_file_lines()
        return int(lines[3]) if len(lines) >= 4 and lines[3].isdigit() else None

    def remove_stale_pid_file(self) -> None:
        """Delete a pid file whose number belongs to another program now.

        PostgreSQL itself replaces one whose process has ended; only its keeper may call this.
        """
        lines = self._pid_file_lines()
        if lines and lines[0].isdigit() and state_of(int(lines[0])) and self.postmaster() is None:
            (self.files / "postmaster.pid").unlink(missing_ok=True)

    def server_pids(self) -> list[int]:
        """Return this cluster's live processes."""
        numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return [pid for pid in numbers if self.works_here(pid)]

    def works_here(self, pid: int) -> bool:
        """Return whether a process is alive and has the files as its working directory."""
        with suppress(OSError):
            return Path(f"/proc/{pid}/cwd").readlink() == self.files.resolve()
        return False

    def _pid_file_lines(self) -> list[str]:
        with suppress(OSError):
            text = (self.files / "postmaster.pid").read_text("ascii", errors="replace")
            return text.splitlines()
        return []

    # --- socket -----------------------------------------------------------------------------

    @property
    def socket(self) -> Path:
        """The folder of the server's Unix socket."""
        lines = self._pid_file_lines()
        if len(lines) >= 5 and lines[4].startswith("/"):
            return Path(lines[4])
        return self._outer_socket() or self.path / "run"

    def make_socket_folder(self) -> Path:
        """Create a private folder for the socket, elsewhere if its path here is too long.

        It is the same one after a restart, because other processes know its address.
        """
        account, folder = self.account(), self.path / "run"
        if len(os.fsencode(folder / ".s.PGSQL.65535.lock")) > _SOCKET_PATH_LIMIT:
            folder = self._make_outer_socket(account)
        make_private(folder, account)
        return folder

    def remove_outer_socket(self) -> None:
        """Delete a socket folder outside of this one; a next start makes the same again."""
        folder = self._outer_socket()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _make_outer_socket(self, account: SystemAccount | None) -> Path:
        known = self._outer_socket()
        if known is not None:
            with suppress(FileExistsError):
                known.mkdir(mode=0o700)
                return known
            owner = account.uid if account else os.geteuid()
            if known.is_dir() and not known.is_symlink() and known.stat().st_uid == owner:
                return known
        base = os.environ.get("XDG_RUNTIME_DIR") if account is None else None
        folder = Path(tempfile.mkdtemp(prefix="guardia-", dir=base or "/tmp"))
        write_json(self.path / "state.json", {"socket": str(folder)})
        return folder

    def _outer_socket(self) -> Path | None:
        # Treat a damaged file like a missing one: a new folder is created.
        with suppress(Misconfigured):
            found = read_json(self.path / "state.json").get("socket")
            if isinstance(found, str) and not found.startswith(str(self.path)):
                return Path(found)
        return None

    # --- log --------------------------------------------------------------------------------

    def open_log(self) -> BinaryIO:
        """Open the server's log for appending; a large one is moved aside first."""
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        return open_private(self.log)

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
