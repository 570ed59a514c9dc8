"""Debian's OpenSSH server on loopback, for the current account, with keys of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from pathlib import Path

from waiting import wait_until

from guardia.org.directory import Host, Service

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))

_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PermitRootLogin prohibit-password
MaxStartups 500
PerSourcePenalties no
X11Forwarding no
SetEnv HOME={folder}/home {environment}
{more}
"""


class OpenSSH:
    """One running server. Its sessions get a home without shell settings."""

    def __init__(
        self,
        folder: Path,
        *,
        more: str = "",
        key_type: str = "ed25519",
        environment: dict[str, str] | None = None,
    ) -> None:
        if SSHD is None:
            raise RuntimeError("OpenSSH's sshd is missing: install the package openssh-server")
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        make_key(folder / "host", key_type)
        make_key(folder / "user", "ed25519")
        shutil.copy(folder / "user.pub", folder / "authorized_keys")
        self.port = free_port()
        config = folder / "sshd_config"
        extra = " ".join(f"{name}={value}" for name, value in (environment or {}).items())
        text = _CONFIG.format(port=self.port, folder=folder, environment=extra, more=more)
        config.write_text(_known(text))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # required by sshd
        self._start()

    def host(self, *services: Service, server_id: str = "TEST-01", **changed: object) -> Host:
        """Return this server as a CMDB host."""
        facts: dict[str, object] = {
            "server_id": server_id,
            "institution": "TEST",
            "kind": "WAS",
            "address": "127.0.0.1",
            "port": self.port,
            "account": getpass.getuser(),
            "host_key": " ".join((self.folder / "host.pub").read_text().split()[:2]),
            "credential": "user",
            "services": services,
        }
        return Host.model_validate(facts | changed)

    def get(self, name: str) -> str:
        """Return a private key of this folder: the credential store of these tests."""
        return (self.folder / name).read_text()

    def restart(self) -> None:
        """Start the listener again, with the configuration and keys of now."""
        self.stop()
        self._start()

    def stop(self) -> None:
        """End the listener; sessions end with their clients."""
        self.process.kill()
        self.process.wait()

    def _start(self) -> None:
        assert SSHD is not None
        with (self.folder / "log").open("w") as log:
            # It ends when we end, even by SIGKILL.
            config = str(self.folder / "sshd_config")
            words = ["setpriv", "--pdeathsig", "KILL", SSHD, "-D", "-e", "-f", config]
            self.process = subprocess.Popen(words, stderr=log, stdin=subprocess.DEVNULL)
        self._wait()

    def _wait(self) -> None:
        wait_until(lambda: self._listens() or self.process.poll() is not None)
        if not self._listens():
            raise RuntimeError("sshd did not start: " + (self.folder / "log").read_text())

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def make_key(path: Path, key_type: str) -> None:
    """Create a key pair without a passphrase."""
    words = ["ssh-keygen", "-q", "-t", key_type, "-N", "", "-C", "test", "-f", str(path)]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


def free_port() -> int:
    """Return an unused loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _known(config: str) -> str:
    """Remove settings that this OpenSSH is too old for."""
    version = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr
    new = not any(f"OpenSSH_{old}" in version for old in ("7.", "8.", "9.0", "9.1", "9.2", "9.3"))
    return "\n".join(
        line for line in config.splitlines() if new or not line.startswith("PerSourcePenalties")
    )
