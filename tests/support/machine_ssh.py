"""OpenSSH's client to a machine, with the key of its account."""

from __future__ import annotations

import subprocess
from pathlib import Path

from machines_env import Machine


def ssh(machine: Machine, command: str, known_hosts: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a command over SSH with the pinned host key."""
    known_hosts.write_text(f"[{machine.address}]:{machine.ssh_port} {machine.host_key}\n")
    if machine.ssh_port == 22:
        known_hosts.write_text(f"{machine.address} {machine.host_key}\n")
    options = {
        "IdentityFile": machine.key,
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": known_hosts,
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    target = ["-p", str(machine.ssh_port), f"{machine.account}@{machine.address}"]
    return subprocess.run(
        ["ssh", "-F", "none", *words, *target, command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
