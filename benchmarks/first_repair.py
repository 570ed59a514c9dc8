"""Time from `server add` to the first repaired fault on a real machine, and lists of many servers.

    make bench NAME=first_repair ARGS="--servers 10000"
    make bench NAME=first_repair ARGS="--role old"      no systemd, EUC-KR, dash

Needs root on Linux (docs/machines.md). The machine is enrolled by the commands alone, with a plain
account and the generated sudoers; the fault is a stopped Tomcat, the oracle looks past the product.
What people do takes no time here: the rights are written and the plan is approved at once.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from command_line import environment, run_process, running_worker
from machines_env import Machine, started_machines
from waiting import wait_until

from guardia.board.approvals import decisions, pending
from guardia.board.core.context import BoardContext
from guardia.board.issues import receiving, view
from guardia.cli.installation import open_installation
from guardia.org.model import Person
from guardia.settings import Settings
from guardia.tools.lab.machines.spec import HEALTH

ID = "MOE-WEB-01"
FAULT = "was-stopped"
TEXT = f"{ID} 서버 민원 WAS가 응답하지 않습니다. Tomcat이 중지된 것 같으니 조치 바랍니다"


class Clock:
    """Seconds since the first command, by step."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()

    def lap(self, name: str) -> None:
        """Print how long a step took."""
        now = time.monotonic()
        print(
            f"{name:44} {now - self._last:7.1f} s   {now - self._began:7.1f} s in all", flush=True
        )
        self._last = now


def command(env: dict[str, str], *words: object) -> str:
    """Run a command that must succeed; return what it prints."""
    done = run_process(*words, env=env)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def prepare(env: dict[str, str]) -> None:
    """Make an installation with an administrator, a team lead and an institution."""
    command(env, "init", "--admin", "boss", "--name", "윤서준")
    command(env, "person", "add", "lead", "--name", "한지우", "--role", "team_lead")
    command(env, "institution", "add", "MOE", "--name", "교육부")


def enrol(env: dict[str, str], machine: Machine) -> None:
    """Enrol the machine with the least rights."""
    command(
        env, "server", "add", ID, "--institution", "MOE", "--address", machine.address,
        "--port", machine.ssh_port, "--account", machine.account, "--key", machine.key,
        "--fingerprint", machine.fingerprint, "--json",
    )  # fmt: skip


def complete(env: dict[str, str]) -> None:
    """Enter what nothing on the server shows: what it is for, and its application's health."""
    service = json.dumps({"name": "tomcat", "health": HEALTH})
    command(env, "server", "edit", ID, "--kind", "WAS", "--service", service)


def permit(env: dict[str, str], machine: Machine) -> None:
    """Write the generated file as the server's administrator would."""
    text = command(env, "server", "sudoers", ID)
    machine.must(
        f"cat > /etc/sudoers.d/guardia <<'END'\n{text}END\n"
        "chmod 440 /etc/sudoers.d/guardia && visudo -cq"
    )


def approve(board: BoardContext, sr_id: int) -> None:
    """Approve what waits, as the team lead."""
    with board.database.reading() as session:
        lead = session.get_one(Person, "lead").as_info()
    for plan in pending.pending_plans(board, sr_id):
        decisions.decide(board, lead, plan.task_id, approve=True, plan_hash=plan.plan_hash)


def repair(env: dict[str, str], machine: Machine, clock: Clock) -> str:
    """Have the fault repaired; return the state of its issue."""
    with open_installation(Settings()) as installation, installation.board() as board:
        line = receiving.NewIssue(text=TEXT, channel="web", sender="한지우", room="방")
        sr_id = receiving.receive_issue(board, line)
        assert wait_until(lambda: bool(pending.pending_plans(board, sr_id)), 120)
        clock.lap("diagnosed, planned")
        approve(board, sr_id)
        assert wait_until(lambda: view.issue(board, sr_id).state.value == "COMPLETED", 240)
        clock.lap("changed and verified")
        assert machine.running.oracle(FAULT, machine.name).good
        return view.issue(board, sr_id).state.value


def list_many(env: dict[str, str], count: int) -> None:
    """Import many servers and list them."""
    folder = Path(env["GUARDIA_HOME"])
    rows = ["id,institution,kind,address,account,credential"]
    rows += [
        f"N-WAS-{n:05},MOE,WAS,10.{n >> 16}.{n >> 8 & 255}.{n & 255},ops,key" for n in range(count)
    ]
    (folder / "servers.csv").write_text("\n".join(rows) + "\n")
    began = time.monotonic()
    command(env, "server", "import", folder / "servers.csv")
    print(f"server import, {count} servers: {time.monotonic() - began:.1f} s")
    for words in (("list",), ("list", "--json")):
        began = time.monotonic()
        printed = len(command(env, "server", *words).splitlines())
        print(f"server {' '.join(words)}: {time.monotonic() - began:.1f} s, {printed} lines")


def main() -> None:
    """Print the time of each step."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--servers", type=int, default=0, help="also import and list so many")
    parser.add_argument("--role", choices=("web", "old"), default="web", help="make of the machine")
    chosen = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="gb-"))
    home.chmod(0o711)
    env = environment(home, GUARDIA_PASSWORD="맞는-암호-1234")
    os.environ.update(env)
    try:
        measure(env, chosen.role, chosen.servers)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def measure(env: dict[str, str], role: str, servers: int) -> None:
    """Run all of it on one machine."""
    with started_machines(role) as running:
        machine: Any = Machine(running, f"{role}-1")
        prepare(env)
        with running_worker(env, Path(env["GUARDIA_HOME"]) / "worker.log"):
            clock = Clock()
            enrol(env, machine)
            clock.lap("server add")
            if role == "old":
                complete(env)
                clock.lap("server edit")
            permit(env, machine)
            clock.lap("server sudoers, written on the server")
            running.fault(FAULT, machine.name)
            clock.lap("(the fault)")
            print(json.dumps({"state": repair(env, machine, clock)}))
            if servers:
                list_many(env, servers)


if __name__ == "__main__":
    main()
