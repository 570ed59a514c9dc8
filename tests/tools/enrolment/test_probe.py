"""A probe of a real server with plain OpenSSH: what it lacks is said, not guessed."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv
from openssh_server import free_port
from waiting import wait_until

import guardia.tools
from guardia.board.audit import log
from guardia.board.core.actors import Actor
from guardia.board.core.plan import ToolCall
from guardia.org.directory import Host
from guardia.tools import catalog
from guardia.tools.enrolment import probe
from guardia.tools.enrolment.report import ProbeReport
from guardia.tools.gate import Gate
from guardia.tools.output import Output
from guardia.tools.transport.connections import Connections

OPERATOR = Actor.operator("cli")
_SITE = """
import http.server, sys
class Site(http.server.BaseHTTPRequestHandler):
    server_version = "Site"
    def do_GET(self):
        good = self.path == sys.argv[2]
        self.send_response(200 if good else 404)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Site).serve_forever()
"""


@contextmanager
def website(path: str) -> Iterator[int]:
    """Serve HTTP that answers to one path only."""
    port = free_port()
    words = [sys.executable, "-c", _SITE, str(port), path]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        try:
            assert wait_until(lambda: is_open(port))
            yield port
        finally:
            process.kill()


def is_open(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def run(env: BoardEnv, server: Any, **changed: Any) -> ProbeReport:
    with Connections(server) as connections:
        gate = Gate(env.board, connections)
        return probe.probe(gate, OPERATOR, server.host(**changed), datetime.now(UTC))


@pytest.mark.slow
def test_facts_are_those_of_this_machine(env: BoardEnv, start_sshd: Callable[..., Any]) -> None:
    found = run(env, start_sshd(environment={"LANG": "ko_KR.eucKR"}))
    assert found.facts.kernel == os.uname().release
    assert found.system.uid == os.geteuid()
    assert found.facts.program("bash") == shutil.which("bash", path=probe_path())
    assert abs(found.clock_offset) < 60
    assert any(disk.place == "/" for disk in found.system.disks)
    with env.board.database.reading() as session:
        kinds = [entry.kind for entry in log.entries(session)]
    assert kinds[-6:] == ["inspection", "inspected"] * 3


def probe_path() -> str:
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/health", "/actuator/health", "/"])
def test_the_first_health_path_that_answers_is_found(
    env: BoardEnv, start_sshd: Callable[..., Any], path: str
) -> None:
    server = start_sshd()
    with website(path) as port, Connections(server) as connections:
        call = ToolCall(tool="enrol.endpoints", args={"endpoints": [f"127.0.0.1/{port}"]})
        (found,) = Gate(env.board, connections).inspect(OPERATOR, server.host(), call)["answers"]
    assert (found["status"], found["health"], found["tls"]) == (200, path, False)


BARE = (
    "awk", "bash", "cat", "cut", "df", "grep", "head", "id", "ls", "sed", "sleep", "tr", "uname",
)  # fmt: skip


def run_bare(tool: str, folder: Path, *arguments: str) -> dict[str, Any]:
    """Run the script of a tool where only the programs of a minimal system exist."""
    for name in BARE:
        path = shutil.which(name)
        if path is not None and not (folder / name).exists():
            (folder / name).symlink_to(path)
    found = catalog.find(tool)
    text = found.command(found.args.model_validate({}), BARE_HOST).stages[0].argv[2]
    text = text.replace("PATH=$PATH:/usr/local/sbin", f"PATH={folder} unused=/usr/local/sbin")
    words = [str(folder / "bash"), "-c", text, tool, *arguments]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env={"PATH": folder})
    return found.parse(Output(0, done.stdout, done.stderr, 1.0))


BARE_HOST = Host(server_id="X", institution="MOF", kind="WAS")


def test_every_program_that_a_tool_names_is_looked_for() -> None:
    """A right needs the program's full path, which only the probe can know."""
    folder = Path(guardia.tools.__file__ or "").parent
    named = {
        name
        for path in folder.rglob("*.py")
        for name in re.findall(r'\bprogram\("([^"]+)"\)', path.read_text("utf-8"))
    }
    assert "systemctl" in named and named <= set(probe.wanted_programs())


def test_without_ss_and_ps_ports_are_known_from_proc(tmp_path: Path) -> None:
    with website("/health") as port:
        found = run_bare("enrol.sockets", tmp_path)
    assert found["unreadable"] == ["process", "ss"]
    (mine,) = [s for s in found["sockets"] if s["port"] == port]
    assert mine["address"] == "127.0.0.1" and mine["pid"] is not None


def test_without_curl_and_openssl_http_is_asked_by_the_shell(tmp_path: Path) -> None:
    with website("/health") as port:
        words = ("/health /actuator/health /", "", f"127.0.0.1/{port}")
        found = run_bare("enrol.endpoints", tmp_path, *words)
    assert found["unreadable"] == ["openssl"]
    assert [(a["port"], a["status"], a["health"]) for a in found["answers"]] == [
        (port, 200, "/health")
    ]


@pytest.mark.parametrize(
    ("application", "path"),
    [("minwon", "/minwon/health"), ("a#b##003", "/a/b/actuator/health"), ("edu", "/edu/")],
)
def test_the_health_of_an_application_in_webapps_is_found(
    tmp_path: Path, application: str, path: str
) -> None:
    webapps, programs = tmp_path / "webapps", tmp_path / "bin"
    for name in ("ROOT", "manager", "it's; id", application):
        (webapps / name).mkdir(parents=True)
    programs.mkdir()
    with website(path) as port:
        words = ("/health /actuator/health /", str(webapps), f"127.0.0.1/{port}")
        found = run_bare("enrol.endpoints", programs, *words)
    assert [a["health"] for a in found["answers"]] == [path]
    assert found["folders"] == [str(webapps)]


def test_without_sudo_locale_and_date_the_rest_is_read(tmp_path: Path) -> None:
    found = run_bare("enrol.system", tmp_path, "bash", "nothing-like-it")
    assert {"charmap", "no_sudo"} <= set(found["unreadable"])
    assert found["programs"] == [str(tmp_path / "bash")]
    assert found["clock"] > 0 and found["disks"]


@pytest.mark.slow
def test_a_process_cannot_pretend_to_be_another_section(tmp_path: Path) -> None:
    forged = "x\ntcp\t0100007F:0001 0 9\nfailed\tforged"
    words = [sys.executable, "-c", "import time; time.sleep(3600)", forged]
    with subprocess.Popen(words) as process:
        try:
            found = run_bare("enrol.sockets", tmp_path)
            everything = catalog.find("enrol.sockets")
            text = everything.command(everything.args(), BARE_HOST).stages[0].argv[2]
            done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True)
        finally:
            process.kill()
    parsed = everything.parse(Output(0, done.stdout, done.stderr, 1.0))
    for one in (found, parsed):
        assert "forged" not in one["unreadable"]
        assert not any(s["port"] == 1 for s in one["sockets"])
