"""The system account that runs the embedded server, and which paths it can reach."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

# PostgreSQL refuses to run as root. We use an existing account and never create one.
CANDIDATES = ("guardia", "postgres", "nobody")


@dataclass(frozen=True)
class SystemAccount:
    """An unprivileged account of this machine."""

    name: str
    uid: int
    gid: int

    def can_reach(self, path: Path) -> bool:
        """Return whether every folder down to `path` lets this account through."""
        return self.obstacle(path) is None

    def obstacle(self, path: Path) -> Path | None:
        """Return the first folder (or the file itself) that this account cannot enter or read."""
        path = path.resolve()
        for step in [*reversed(path.parents), path]:
            needs = 0o1 if step.is_dir() else 0o4
            if step.exists() and not self._allowed(step.stat(), needs):
                return step
        return None

    def _allowed(self, status: os.stat_result, needs: int) -> bool:
        if status.st_uid == self.uid:
            needs <<= 6
        elif status.st_gid == self.gid:
            needs <<= 3
        return bool(stat.S_IMODE(status.st_mode) & needs)


def server_account(data: Path) -> SystemAccount | None:
    """Return the account for a server on `data`, or `None` for our own account.

    Only root uses another account. The owner of existing data wins, so a new account on the machine
    changes nothing.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        owner = data.stat()
        return SystemAccount(_account_name(owner.st_uid), owner.st_uid, owner.st_gid)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return SystemAccount(name, entry.pw_uid, entry.pw_gid)
    return SystemAccount("65534", 65534, 65534)


def _account_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
