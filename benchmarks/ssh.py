"""Cost of remote commands compared with plain paramiko and OpenSSH on the same sshd, in one run.

    make bench NAME=ssh ARGS="--hosts 50 --rounds 4"

Every "host" is the same loopback sshd under another name, so it has connections of its own.
GUARDiA's figures include everything that the others do without: pinned keys, marks, confirmed end.
CPU is that of this process (and of `ssh` processes), per command.
"""

from __future__ import annotations

import argparse
import base64
import json
import resource
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import paramiko
from openssh_server import OpenSSH

from guardia.org.directory import Host
from guardia.tools.command import Command
from guardia.tools.transport.connections import Connections, ExitReason

TRUE = Command.of("true")
SLEEP = Command.of("bash", "-c", "echo up; exec sleep 3600")
Runner = Callable[[Host], None]


@dataclass(frozen=True)
class Figure:
    """One way of running `true` on every host."""

    way: str
    commands: int
    seconds: float
    per_second: float
    cpu_ms: float


def cpu_seconds() -> float:
    usages = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure(way: str, run: Runner, hosts: list[Host], rounds: int, threads: int) -> Figure:
    """Measure wall and CPU time of `run` on all hosts, `rounds` times."""
    count = len(hosts) * rounds
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: time.sleep(0.01), range(threads)))  # threads exist beforehand
        wall, cpu = time.perf_counter(), cpu_seconds()
        list(pool.map(run, hosts * rounds))
        wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    return Figure(way, count, round(wall, 3), round(count / wall, 1), round(1000 * cpu / count, 2))


class GuardiaTransport:
    """GUARDiA's own transport."""

    def __init__(self, server: Any) -> None:
        self.connections = Connections(server)

    def run(self, host: Host) -> None:
        output = self.connections.run(host, TRUE, timeout=30)
        assert output.exit == 0, output

    def cancel(self, host: Host) -> None:
        """Start a command and cancel it as soon as it says that it runs."""
        cancel = threading.Event()
        output = self.connections.run(
            host, SLEEP, timeout=600, cancel=cancel, on_output=lambda *_: cancel.set()
        )
        assert output.exit_reason is ExitReason.CANCELLED and output.is_confirmed_gone, output

    def close(self) -> None:
        self.connections.close()


class PlainParamiko:
    """paramiko as most scripts use it; `keep` keeps each host's connection open."""

    def __init__(self, server: Any, *, keep: bool) -> None:
        self.key = paramiko.Ed25519Key.from_private_key_file(str(server.folder / "user"))
        self.keep = keep
        self.kept: dict[str, paramiko.SSHClient] = {}
        self.lock = threading.Lock()

    def run(self, host: Host) -> None:
        with self.lock:
            client = self.kept.get(host.server_id)
        client = client or self.connect(host)
        _, stdout, _ = client.exec_command("true", timeout=30)
        stdout.read()
        assert stdout.channel.recv_exit_status() == 0
        stdout.channel.close()
        if not self.keep:
            client.close()

    def connect(self, host: Host) -> paramiko.SSHClient:
        client = paramiko.SSHClient()
        kind, blob = host.host_key.split()
        known = paramiko.PKey.from_type_string(kind, base64.b64decode(blob))
        client.get_host_keys().add(f"[{host.address}]:{host.port}", kind, known)
        client.connect(
            host.address,
            host.port,
            host.account,
            pkey=self.key,
            allow_agent=False,
            look_for_keys=False,
        )
        if self.keep:
            with self.lock:
                self.kept[host.server_id] = client
        return client

    def close(self) -> None:
        for client in self.kept.values():
            client.close()


class ControlMaster:
    """OpenSSH's own client over its kept master connections."""

    def __init__(self, server: Any, folder: Path) -> None:
        self.folder = folder
        known = folder / "known_hosts"
        host = server.host()
        known.write_text(f"[{host.address}]:{host.port} {host.host_key}\n")
        options = {
            "UserKnownHostsFile": known, "IdentityFile": server.folder / "user", "BatchMode": "yes",
            "IdentitiesOnly": "yes", "ControlMaster": "auto", "ControlPersist": "60",
        }  # fmt: skip
        self.words = ["ssh", "-F", "none", "-p", str(host.port)]
        self.words += [w for name, value in options.items() for w in ("-o", f"{name}={value}")]

    def run(self, host: Host, *more: str) -> None:
        path = self.folder / host.server_id
        words = [*self.words, "-S", str(path), *more, f"{host.account}@{host.address}"]
        command = [] if more else ["true"]
        subprocess.run(
            [*words, *command],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def close(self, hosts: list[Host]) -> None:
        for host in hosts:
            self.run(host, "-O", "exit")


@contextmanager
def loopback() -> Iterator[tuple[Any, Path]]:
    """Start an sshd; yield it and a short folder."""
    folder = Path(tempfile.mkdtemp(prefix="gb-"))
    server = OpenSSH(folder / "sshd", more="MaxSessions 100")
    try:
        yield server, folder
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def figures(count: int, rounds: int, threads: int) -> Iterator[Figure]:
    """Measure every way in turn, each on hosts without open connections."""
    with loopback() as (server, folder):
        hosts = [server.host(server_id=f"H{n:04}") for n in range(count)]
        own = GuardiaTransport(server)
        yield measure("GUARDiA: connect + true", own.run, hosts, 1, threads)
        yield measure("GUARDiA: next true", own.run, hosts, rounds, threads)
        yield measure("GUARDiA: next true, one thread", own.run, hosts, 1, 1)
        yield measure("GUARDiA: sleep, cancelled, one thread", own.cancel, hosts[:8], 1, 1)
        own.close()
        fresh = PlainParamiko(server, keep=False)
        yield measure("paramiko: connect + true", fresh.run, hosts, 1, threads)
        kept = PlainParamiko(server, keep=True)
        measure("", kept.run, hosts, 1, threads)
        yield measure("paramiko kept: next true", kept.run, hosts, rounds, threads)
        yield measure("paramiko kept: one thread", kept.run, hosts, 1, 1)
        kept.close()
        master = ControlMaster(server, folder)
        yield measure("OpenSSH: connect + true", master.run, hosts, 1, threads)
        yield measure("OpenSSH ControlMaster: next true", master.run, hosts, rounds, threads)
        yield measure("OpenSSH ControlMaster: one thread", master.run, hosts, 1, 1)
        master.close(hosts)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, default=50, choices=range(1, 501), metavar="1..500")
    parser.add_argument("--rounds", type=int, default=4, choices=range(1, 21), metavar="1..20")
    parser.add_argument("--threads", type=int, default=16, choices=range(1, 65), metavar="1..64")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    chosen = parser.parse_args()
    if not chosen.json:
        print(f"{'way':38}{'commands':>9}{'seconds':>9}{'per s':>8}{'CPU-ms':>8}")
    for f in figures(chosen.hosts, chosen.rounds, chosen.threads):
        if chosen.json:
            print(json.dumps(asdict(f)))
        else:
            print(f"{f.way:38}{f.commands:9}{f.seconds:9.2f}{f.per_second:8.0f}{f.cpu_ms:8.2f}")


if __name__ == "__main__":
    main()
