"""`true` on many hosts over SSH, cold and warm, beside Ansible, pyinfra and plain paramiko threads.

    make bench NAME=ssh ARGS="--hosts 50 200"

The hosts are loopback addresses of real sshd processes, fifteen each; with root, commands run as an
ordinary account there, as they should on every server. All ways run in one go, each in a process of
its own, with the same number at once. GUARDiA's figures include all that the others do without:
pinned keys, supervised commands, a confirmed end. `paramiko, supervised` sends the same supervising
shell by plain paramiko: the difference to `paramiko threads` is the price of a certain end of each
command, the difference to `GUARDiA` is our own code. Warm rounds reuse kept connections, as do
those of plain paramiko and, by ControlPersist, of Ansible. Client and servers share the cores here:
wall shows both, the client's processor time is what carries over. What the gate adds, its grant and
audit entries, is measured by `benchmarks/gate.py`.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import paramiko
from account_server import AccountServer
from group_cpu import CpuGroup, seconds_of
from openssh_server import OpenSSH

from guardia.org.directory import Host
from guardia.tools.command import Command
from guardia.tools.transport.connections import Connections
from guardia.tools.transport.limits import TransportLimits
from guardia.tools.transport.supervised_shell import SupervisedCommand

TRUE = Command.of("true")
PER_SERVER = 15
"""Addresses of one sshd: it takes sixteen, one of which is its own."""
ACCOUNT = "ops"
PEERS = ("ansible-core", "pyinfra")
ANSIBLE_MODULES = ("raw", "command")
"""Its cheapest, which says nothing about the end of a command, and the one for running commands."""
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "guardia-benchmark-peers"


@dataclass(frozen=True)
class Figure:
    """One way of running `true` once on every host."""

    way: str
    hosts: int
    round: str
    seconds: float
    cpu_ms: float
    """Processor time of the client, for each host."""
    server_cpu_ms: float | None
    """The same of the servers, sessions and what they ran; `None` without control groups."""
    megabytes: float
    """Largest memory of the client's processes together."""
    failed: int = 0


class Keys:
    """The one user key of the farm, as a credential store."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_text()

    def get(self, name: str) -> str:
        return self.text


@contextmanager
def farm(count: int) -> Iterator[tuple[list[Host], Path, str]]:
    """Start the servers; yield their hosts, the private key and where their time is counted."""
    folder = Path(tempfile.mkdtemp(prefix="gb-"))
    folder.chmod(0o711)
    servers: list[OpenSSH] = []
    hosts: list[Host] = []
    group = CpuGroup("guardia-bench")
    try:
        while len(hosts) < count:
            number = len(servers)
            places = [f"127.1.{number}.{n}" for n in range(1, PER_SERVER + 1)]
            lines = "\n".join(f"ListenAddress {place}" for place in places)
            server = _server(folder / f"s{number}", f"MaxSessions 100\n{lines}")
            if servers:
                shutil.copy(servers[0].folder / "authorized_keys", server.folder)
            servers.append(server)
            group.add(server.process.pid)
            account = {"account": ACCOUNT} if isinstance(server, AccountServer) else {}
            hosts += [server.host(server_id=place, address=place, **account) for place in places]
        yield hosts[:count], servers[0].folder / "user", group.path
    finally:
        for server in servers:
            server.stop()
        group.close()
        shutil.rmtree(folder, ignore_errors=True)


def _server(folder: Path, more: str) -> OpenSSH:
    """Start a server with an ordinary account, or without root one for the present account."""
    if os.geteuid() == 0:
        return AccountServer(folder, {ACCOUNT: "/bin/bash"}, more=more)
    return OpenSSH(folder, more=more)


# --- clients of this process: run by `--client`, so that each is measured alone ---


def guardia(hosts: list[Host], key: Path, at_once: int) -> Callable[[Host], None]:
    limits = TransportLimits(institution_commands=at_once * 2)
    connections = Connections(Keys(key), limits)

    def run(host: Host) -> None:
        output = connections.run(host, TRUE, timeout=60)
        assert output.exit == 0, output

    return run


def paramiko_threads(
    hosts: list[Host],
    key: Path,
    at_once: int,
    line: Callable[[], str] = lambda: "true",
) -> Callable[[Host], None]:
    """paramiko as most scripts use it, with connections kept open."""
    private = paramiko.Ed25519Key.from_private_key_file(str(key))
    kept: dict[str, paramiko.SSHClient] = {}
    lock = threading.Lock()

    def connect(host: Host) -> paramiko.SSHClient:
        client = paramiko.SSHClient()
        kind, blob = host.host_key.split()
        known = paramiko.PKey.from_type_string(kind, base64.b64decode(blob))
        client.get_host_keys().add(f"[{host.address}]:{host.port}", kind, known)
        client.connect(
            host.address,
            host.port,
            host.account,
            pkey=private,
            allow_agent=False,
            look_for_keys=False,
        )
        with lock:
            kept[host.server_id] = client
        return client

    def run(host: Host) -> None:
        client = kept.get(host.server_id) or connect(host)
        # What is not kept is closed, and the end of the input ends a supervised command.
        stdin, stdout, stderr = client.exec_command(line(), timeout=60)
        assert stdout.channel.recv_exit_status() == 0
        stdout.channel.close()
        del stdin, stderr

    return run


def supervised_threads(hosts: list[Host], key: Path, at_once: int) -> Callable[[Host], None]:
    """The same with our supervising shell around the command."""
    return paramiko_threads(hosts, key, at_once, lambda: SupervisedCommand(TRUE, 60).line)


CLIENTS = {
    "GUARDiA": guardia,
    "paramiko threads": paramiko_threads,
    "paramiko, supervised": supervised_threads,
}


def run_client(name: str, at_once: int, rounds: int) -> None:
    """Run one cold round and some warm ones; print the seconds and processor time of each."""
    given = json.load(sys.stdin)
    hosts = [Host.model_validate(fields) for fields in given["hosts"]]
    run = CLIENTS[name](hosts, Path(given["key"]), at_once)
    failed: list[str] = []

    def one(host: Host) -> None:
        try:
            run(host)
        except Exception as error:
            failed.append(f"{type(error).__name__}: {error}")

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda _: time.sleep(0.01), range(at_once)))  # threads exist beforehand
        for _ in range(1 + rounds):
            servers = _settled(given["servers"])
            wall, cpu = time.perf_counter(), time.process_time()
            list(pool.map(one, hosts))
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            servers = _settled(given["servers"]) - servers
            print(json.dumps([wall, cpu, servers, len(failed)]))
    for reason in failed[:2]:
        print(reason, file=sys.stderr)
    sys.stdout.flush()
    os._exit(0)


# --- measuring ---


def _settled(group: str) -> float:
    """Return the processor time of the servers once they do nothing any more."""
    before, now = -1.0, seconds_of(group) if group else 0.0
    while group and now - before > 0.001:
        time.sleep(0.1)
        before, now = now, seconds_of(group)
    return now


class Memory(threading.Thread):
    """Samples the memory of a process and all its descendants."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root, self.most, self.ended = root, 0.0, threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.2):
            found = _with_descendants([self.root])
            self.most = max(self.most, sum(_pss(Path("/proc") / str(pid)) for pid in found))


def _with_descendants(roots: list[int]) -> set[int]:
    """Return processes and all below them."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (entry / "stat").read_text().rpartition(") ")[2].split()
            parents[int(entry.name)] = int(fields[1])
    found = set(roots)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _pss(process: Path) -> float:
    with suppress(OSError, StopIteration):
        lines = (process / "smaps_rollup").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024
    return 0.0


def measured(words: list[str], given: str = "", **more: Any) -> tuple[str, float, float, float]:
    """Run a program; return what it printed, its seconds, its processor time, its memory."""
    cpu, wall = _children_cpu(), time.perf_counter()
    process = subprocess.Popen(
        words, stdin=-1, stdout=-1, stderr=-1, text=True, start_new_session=True, **more
    )
    memory = Memory(process.pid)
    memory.start()
    printed, errors = process.communicate(given)
    wall = time.perf_counter() - wall
    memory.ended.set()
    memory.join()
    if process.returncode:
        print(f"{words[0]}: {(errors or printed)[-300:]}", file=sys.stderr)
    return printed or errors, wall, _children_cpu() - cpu, memory.most


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def own_figures(
    name: str, hosts: list[Host], key: Path, servers: str, chosen: Any
) -> Iterator[Figure]:
    dumped = [host.model_dump(mode="json") for host in hosts]
    given = {"hosts": dumped, "key": str(key), "servers": servers}
    words = [sys.executable, __file__, "--client", name]
    words += ["--at-once", str(chosen.at_once), "--rounds", str(chosen.rounds)]
    printed, _, _, memory = measured(words, json.dumps(given))
    rounds = [json.loads(line) for line in printed.splitlines()]
    count = len(hosts)
    shown = [("cold", rounds[:1]), ("warm", rounds[1:])]
    for kind, of_kind in ((kind, found) for kind, found in shown if found):
        # Others use the same cores: the least of each is nearest to the truth.
        wall, cpu, _, failed = (min(column) for column in zip(*of_kind, strict=True))
        server = min(one[2] for one in of_kind)
        per_host = 1000 / count
        shown_server = per_host * server if servers else None
        yield Figure(name, count, kind, wall, per_host * cpu, shown_server, memory, failed)


# --- peers ---


def peers() -> Path | None:
    """Return an environment with the peers, made once; `None` and a sentence if it cannot be."""
    if not (CACHE / "bin" / "pyinfra").exists():
        commands = ([sys.executable, "-m", "venv", str(CACHE)],
                    [str(CACHE / "bin" / "pip"), "install", "-q", *PEERS])  # fmt: skip
        for words in commands:
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"Peers are left out, they could not be installed: {done.stderr[-200:]}")
                return None
    return CACHE / "bin"


def ansible_figures(
    bin_: Path, hosts: list[Host], key: Path, chosen: Any, folder: Path, servers: str
) -> Iterator[Figure]:
    inventory = folder / "inventory"
    lines = [f"{h.address} ansible_port={h.port} ansible_user={h.account}" for h in hosts]
    options = f"-o IdentitiesOnly=yes -o UserKnownHostsFile=/dev/null -o ControlPath={folder}/%C"
    lines += [
        "[all:vars]",
        f"ansible_ssh_private_key_file={key}",
        f"ansible_ssh_common_args='{options}'",
    ]
    inventory.write_text("\n".join(lines) + "\n")
    settings = {
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "ANSIBLE_FORKS": str(chosen.at_once),
        "ANSIBLE_SSH_ARGS": "-F none -o ControlMaster=auto -o ControlPersist=60",
        "ANSIBLE_LOCAL_TEMP": str(folder / "t"),
        # The account's home belongs to another account.
        "ANSIBLE_REMOTE_TMP": "/tmp/guardia-ansible",
        "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
    }
    ansible = [str(bin_ / "ansible"), "all", "-i", str(inventory)]
    for module, kind in itertools.product(ANSIBLE_MODULES, ("cold", "warm")):
        words = [*ansible, "-m", module, "-a", "true"]
        before = _settled(servers)
        printed, wall, cpu, memory = measured(words, env={**os.environ, **settings})
        failed = len(hosts) - printed.count("| CHANGED")
        server = 1000 * (_settled(servers) - before) / len(hosts) if servers else None
        per_host = 1000 * cpu / len(hosts)
        name = f"Ansible ({module})"
        yield Figure(name, len(hosts), kind, wall, per_host, server, memory, failed)
        if kind == "warm":
            close_connections(folder)


def close_connections(folder: Path) -> None:
    """End the connections that Ansible keeps."""
    for socket in filter(Path.is_socket, folder.iterdir()):
        subprocess.run(["ssh", "-S", socket, "-O", "exit", "x"], capture_output=True, check=False)


def pyinfra_figures(
    bin_: Path, hosts: list[Host], key: Path, chosen: Any, folder: Path, servers: str
) -> Iterator[Figure]:
    data = {
        h.address: {
            "ssh_port": h.port,
            "ssh_user": h.account,
            "ssh_key": str(key),
            "ssh_strict_host_key_checking": "off",
            "ssh_known_hosts_file": "/dev/null",
            "ssh_allow_agent": False,
            "ssh_look_for_keys": False,
        }
        for h in hosts
    }
    (folder / "inventory.py").write_text(f"hosts = {list(data.items())!r}\n")
    deploy = "from pyinfra.operations import server\nserver.shell(name='true', commands=['true'])\n"
    (folder / "deploy.py").write_text(deploy)
    words = [str(bin_ / "pyinfra"), "-y", "--parallel", str(chosen.at_once)]
    words += [str(folder / "inventory.py"), str(folder / "deploy.py")]
    before = _settled(servers)
    printed, wall, cpu, memory = measured(words)
    server = 1000 * (_settled(servers) - before) / len(hosts) if servers else None
    total = re.search(r"Grand total\s+\d+\s+(\d+)", printed)
    failed = len(hosts) - (int(total[1]) if total else 0)
    per_host = 1000 * cpu / len(hosts)
    yield Figure("pyinfra", len(hosts), "cold", wall, per_host, server, memory, failed)


def figures(count: int, chosen: Any, bin_: Path | None) -> Iterator[Figure]:
    """Measure every way in turn on the same servers."""
    with farm(count) as (hosts, key, servers):
        list(own_figures("paramiko threads", hosts, key, servers, chosen))  # the first is slower
        for name in CLIENTS:
            yield from own_figures(name, hosts, key, servers, chosen)
        if bin_ is None or count > chosen.peers_up_to:
            return
        for way in (pyinfra_figures, ansible_figures):
            with tempfile.TemporaryDirectory(prefix="gb-") as folder:
                yield from way(bin_, hosts, key, chosen, Path(folder), servers)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, nargs="+", default=[50, 200, 500])
    parser.add_argument("--rounds", type=int, default=3, help="warm rounds; the least is shown")
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--peers-up-to", type=int, default=500, help="hosts; 0: no peers")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--client", choices=CLIENTS, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.client:
        run_client(chosen.client, chosen.at_once, chosen.rounds)
    bin_ = peers() if chosen.peers_up_to else None
    if not chosen.json:
        print(
            f"{'way':22}{'hosts':>6} {'':5}{'seconds':>9}{'CPU-ms/host':>12}{'server':>8}{'MB':>7}"
        )
    for count in chosen.hosts:
        for f in figures(count, chosen, bin_):
            if chosen.json:
                print(json.dumps(asdict(f)), flush=True)
                continue
            failed = f"  {f.failed} failed" if f.failed else ""
            server = "-" if f.server_cpu_ms is None else f"{f.server_cpu_ms:.2f}"
            print(f"{f.way:22}{f.hosts:6} {f.round:5}{f.seconds:9.2f}{f.cpu_ms:12.2f}"
                  f"{server:>8}{f.megabytes:7.0f}{failed}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
