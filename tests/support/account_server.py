"""An OpenSSH server with accounts of its own, in a mount namespace: nothing of the machine changes.

Takes root. Each account has a password, and a login shell; sudo reads rules of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from openssh_server import SSHD, OpenSSH

from guardia.org.directory import Host

PASSWORD = "비밀 \\번호'#1"
FIRST_UID = 7100
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="takes root to have accounts of its own")
NEEDS_SUDO = pytest.mark.skipif(shutil.which("sudo") is None, reason="takes sudo")
_FILES = ("passwd", "shadow", "sudoers")


class AccountServer(OpenSSH):
    """A server whose sessions see other accounts: `accounts` gives the login shell of each."""

    def __init__(self, folder: Path, accounts: Mapping[str, str], *, more: str = "") -> None:
        self._etc = folder / "etc"
        self._etc.mkdir(parents=True)
        hashed = _hashed(PASSWORD)
        passwd, shadow = Path("/etc/passwd").read_text(), Path("/etc/shadow").read_text()
        for uid, (name, shell) in enumerate(accounts.items(), FIRST_UID):
            passwd += f"{name}:x:{uid}:{uid}::{folder}/home:{shell}\n"
            shadow += f"{name}:{hashed}:19000:0:99999:7:::\n"
        self._write("passwd", passwd, 0o644)
        self._write("shadow", shadow, 0o600)
        self._write("sudoers", "", 0o440)
        super().__init__(folder, more=more)
        for path in (folder, self.home):
            path.chmod(0o755)

    def rules(self, text: str) -> None:
        """Replace the rules of sudo."""
        self._write("sudoers", f"Defaults !fqdn\n{text}\n", 0o440)

    def of(self, account: str, **changed: object) -> Host:
        """Return the server as a host of the CMDB, with that account."""
        return self.host(account=account, **changed)

    def _write(self, name: str, text: str, mode: int) -> None:
        path = self._etc / name
        path.touch()
        with path.open("w") as file:  # in place: it is mounted
            file.write(text)
        path.chmod(mode)

    def _start(self) -> None:
        assert SSHD is not None
        mounts = "; ".join(f'mount --bind "{self._etc}/{name}" /etc/{name}' for name in _FILES)
        script = f'set -e; {mounts}; exec "$0" -D -e -f "$1"'
        words = ["setpriv", "--pdeathsig", "KILL", "unshare", "-m", "sh", "-c", script]
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [*words, SSHD, str(self.folder / "sshd_config")],
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        self._wait()


def _hashed(password: str) -> str:
    words = ["openssl", "passwd", "-6", "-stdin"]
    done = subprocess.run(words, input=password, capture_output=True, text=True, check=True)
    return done.stdout.strip()
