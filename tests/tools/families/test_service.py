"""The service tools against a real service, over real SSH."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from waiting import PATIENCE, hang_guard, wait_until

from guardia.board.core.plan import ToolCall
from guardia.errors import CommandFailed, Refused
from guardia.org.directory import Facts, Host, Service
from guardia.tools import catalog, planning
from guardia.tools.families import service as tools_service
from guardia.tools.output import ExitReason
from guardia.tools.transport.connections import Connections

pytestmark = pytest.mark.ssh
Ask = Callable[..., dict[str, Any]]


class TestHealth:
    def test_a_healthy_service_responds(self, ask: Ask, sshd: Any, budget: Any) -> None:
        found = ask("service.health", sshd.host(budget.service()), service="budget")
        milliseconds = found.pop("milliseconds")
        assert found == {"port_open": True, "answered": True, "status": 200, "version": "3.1.0"}
        assert type(milliseconds) is int and milliseconds >= 0

    def test_a_query_string_arrives(self, ask: Ask, sshd: Any, budget: Any) -> None:
        service = budget.service().model_copy(update={"health": "/health?deep=%20&x=1"})
        assert ask("service.health", sshd.host(service), service="budget")["status"] == 200

    @pytest.mark.slow
    def test_a_hung_service_does_not_respond_but_its_port_stays_open(
        self, ask: Ask, sshd: Any, budget: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tools_service, "_ANSWER_SECONDS", 1)
        host = sshd.host(budget.service())
        os.kill(budget.pid, signal.SIGSTOP)
        waiting = []
        try:
            # More than its queue holds: the port must not look closed to the next one.
            for _ in range(8):
                waiting.append(socket.socket())
                waiting[-1].setblocking(False)
                waiting[-1].connect_ex(("127.0.0.1", budget.port))
            with hang_guard("the limit for an answer ends it: the service stays stopped"):
                found = ask("service.health", host, service="budget")
            assert (found["port_open"], found["answered"], found["status"]) == (True, False, None)
        finally:
            os.kill(budget.pid, signal.SIGCONT)
            for each in waiting:
                each.close()

    def test_a_stopped_service_has_no_open_port(self, ask: Ask, sshd: Any, budget: Any) -> None:
        budget.stop()
        found = ask("service.health", sshd.host(budget.service()), service="budget")
        assert (found["port_open"], found["answered"]) == (False, False)

    @pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.3", "0.0.0.0"])
    def test_the_listening_address_is_used(self, ask: Ask, sshd: Any, address: str) -> None:
        with socket.create_server((address, 0)) as server:
            server.settimeout(PATIENCE)
            service = Service(name="odd", kind="http", port=server.getsockname()[1], health="/h")

            def answer() -> None:
                connection, _ = server.accept()
                with connection:
                    received = b""
                    while b"\r\n\r\n" not in received:
                        received += connection.recv(1000)
                    connection.sendall(b"HTTP/1.0 204 No Content\r\n\r\n")

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            found = ask("service.health", sshd.host(service), service="odd")
            thread.join()
        assert found["status"] == 204

    @pytest.mark.slow
    def test_an_endless_response_does_not_block(
        self, ask: Ask, sshd: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tools_service, "_ANSWER_SECONDS", 1)
        with socket.create_server(("127.0.0.1", 0)) as server:
            service = Service(name="odd", kind="http", port=server.getsockname()[1], health="/h")
            kept = []

            def answer() -> None:
                connection, _ = server.accept()
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n{")
                kept.append(connection)

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            with hang_guard("the limit for an answer ends it: the connection stays open"):
                found = ask("service.health", sshd.host(service), service="odd")
            thread.join()
            kept[0].close()
        assert (found["status"], found["version"]) == (200, None)


class TestProcesses:
    def test_a_running_service(self, ask: Ask, sshd: Any, budget: Any) -> None:
        found = ask("service.processes", sshd.host(budget.service()), service="budget")
        (process,) = found["processes"]
        assert found["running"]
        assert process["pid"] == budget.pid
        assert process["state"] in "SR"
        assert "app.py" in process["command"]
        assert process["started"].startswith("20")

    def test_a_stopped_process_is_marked(self, ask: Ask, sshd: Any, budget: Any) -> None:
        os.kill(budget.pid, signal.SIGSTOP)
        try:
            found = ask("service.processes", sshd.host(budget.service()), service="budget")
        finally:
            os.kill(budget.pid, signal.SIGCONT)
        assert [p["state"] for p in found["processes"]] == ["T"]

    def test_without_a_pid_file_the_port_identifies_it(
        self, ask: Ask, sshd: Any, budget: Any
    ) -> None:
        pid = budget.pid
        path = budget.root / "run" / "budget.pid"
        text = path.read_text()
        path.unlink()
        try:
            found = ask("service.processes", sshd.host(budget.service()), service="budget")
        finally:
            path.write_text(text)
        assert [p["pid"] for p in found["processes"]] == [pid]

    def test_children_are_included(self, ask: Ask, sshd: Any, budget: Any) -> None:
        parent = subprocess.Popen(["bash", "-c", "sleep 50 & sleep 51 & wait"])
        path = budget.root / "run" / "other.pid"
        path.write_text(f"{parent.pid}\n")
        try:
            children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
            assert wait_until(lambda: len(children.read_text().split()) == 2)
            found = ask("service.processes", sshd.host(budget.service()), service="budget")
        finally:
            subprocess.run(["pkill", "-P", str(parent.pid)], check=False)
            parent.wait()
        commands = {p["command"] for p in found["processes"]}
        assert {"sleep 50", "sleep 51"} <= commands

    def test_a_reused_pid_does_not_count(
        self, ask: Ask, sshd: Any, budget: Any, tmp_path: Path
    ) -> None:
        budget.stop()
        path = budget.root / "run" / "budget.pid"
        path.write_text(f"{os.getpid()}\n")
        long_ago = time.time() - 1_000_000
        os.utime(path, (long_ago, long_ago))
        found = ask("service.processes", sshd.host(budget.service()), service="budget")
        assert found == {"running": False, "processes": []}

    @pytest.mark.slow
    @pytest.mark.parametrize("text", ["", "abc", "-1", "999999999", "1; id"])
    def test_a_broken_pid_file_is_ignored(
        self, ask: Ask, sshd: Any, budget: Any, text: str
    ) -> None:
        budget.stop()
        (budget.root / "run" / "budget.pid").write_text(text)
        found = ask("service.processes", sshd.host(budget.service()), service="budget")
        assert found == {"running": False, "processes": []}


class TestRestart:
    @pytest.mark.slow
    def test_a_hung_service_is_healthy_again(self, ask: Ask, sshd: Any, budget: Any) -> None:
        host = sshd.host(budget.service())
        before = budget.pid
        os.kill(before, signal.SIGSTOP)
        assert ask("service.restart", host, service="budget") == {"done": True}
        assert wait_until(lambda: ask("service.health", host, service="budget")["answered"])
        assert budget.pid != before

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "kind",
        ["follows its log", "slow start", "exits with an error", "keeps the pipe", "watched"],
    )
    def test_the_health_check_decides_not_the_script(
        self, ask: Ask, sshd: Any, budget: Any, tmp_path: Path, kind: str
    ) -> None:
        """The script never returns, or returns early or wrongly; the service runs on afterwards."""
        log = budget.root / "logs" / "app.log"
        log.touch()
        program = f"{sys.executable} {budget.root}/current/app.py {budget.root} {budget.port}"
        if kind == "slow start":
            program = f"sh -c 'sleep 3; exec {program}'"
        elif kind == "watched":
            watch = tmp_path / "watch"
            watch.write_text(f"#!/bin/bash\nwhile :; do {program}; sleep 0.2; done\n")
            watch.chmod(0o755)
            program = str(watch)
        redirect = "" if kind == "keeps the pipe" else ">/dev/null 2>&1"
        end = {"follows its log": f"tail -f {log}", "exits with 7": "exit 7"}
        control = tmp_path / "ctl"
        control.write_text(
            f"#!/bin/bash\n{budget.control} stop\nnohup {program} </dev/null {redirect} &\n"
            f"{end.get(kind, 'sleep 600' if kind == 'watched' else 'true')}\n"
        )
        control.chmod(0o755)
        host = sshd.host(budget.service().model_copy(update={"control": str(control)}))
        try:
            assert ask("service.restart", host, service="budget") == {"done": True}
            health = ask("service.health", host, service="budget")
            assert (health["answered"], health["status"]) == (True, 200)
            for left in ("tail", "sleep"):
                words = ["pgrep", "-f", f"^{left} .*({log}|600)$"]
                assert wait_until(lambda words=words: subprocess.run(words, check=False).returncode)
        finally:
            subprocess.run(["pkill", "-f", str(tmp_path)], check=False)

    @pytest.mark.slow
    def test_a_stop_ends_the_script_but_not_the_started_service(
        self, sshd: Any, budget: Any, connections: Connections, tmp_path: Path
    ) -> None:
        """As the kill switch ends a restart whose service is still starting."""
        control = tmp_path / "ctl"
        control.write_text(
            f"#!/bin/bash\n{budget.control} stop\nsetsid sleep 598 </dev/null >/dev/null 2>&1 &\n"
            f"echo $! > {budget.root}/run/budget.pid\ntouch {tmp_path}/started\nsleep 597\n"
        )
        control.chmod(0o755)
        cancel = threading.Event()
        host = sshd.host(budget.service().model_copy(update={"control": str(control)}))
        call = ToolCall(tool="service.restart", args={"service": "budget"})
        tool, _, command = planning.prepare(call, host)
        try:
            with ThreadPoolExecutor(1) as threads:
                running = threads.submit(
                    connections.run, host, command, timeout=tool.timeout, cancel=cancel
                )
                assert wait_until((tmp_path / "started").exists)
                cancel.set()
                assert running.result(PATIENCE).exit_reason is ExitReason.CANCELLED
            assert Path(f"/proc/{budget.pid}/cmdline").read_bytes().startswith(b"sleep")
            words = ["pgrep", "-f", str(control)]
            assert wait_until(lambda: subprocess.run(words, check=False).returncode != 0)
        finally:
            os.kill(budget.pid, signal.SIGKILL)
            subprocess.run(["pkill", "-f", "^sleep 597$"], check=False)

    @pytest.mark.slow
    def test_what_does_not_become_healthy_is_left_as_it_is(
        self, ask: Ask, sshd: Any, budget: Any, tmp_path: Path
    ) -> None:
        control = tmp_path / "ctl"
        control.write_text(
            f"#!/bin/bash\n{budget.control} stop\nsetsid sleep 599 </dev/null >/dev/null 2>&1 &\n"
            f"echo $! > {budget.root}/run/budget.pid\ntail -f {control}\n"
        )
        control.chmod(0o755)
        changed = {"control": str(control), "start_seconds": 2}
        host = sshd.host(budget.service().model_copy(update=changed))
        try:
            ask("service.restart", host, service="budget")
            assert not ask("service.health", host, service="budget")["port_open"]
            assert Path(f"/proc/{budget.pid}").exists()
        finally:
            os.kill(budget.pid, signal.SIGKILL)
            subprocess.run(["pkill", "-f", str(tmp_path)], check=False)

    @pytest.mark.slow
    def test_a_failing_control_script_is_reported(
        self, ask: Ask, sshd: Any, budget: Any, tmp_path: Path
    ) -> None:
        control = tmp_path / "broken"
        control.write_text("#!/bin/sh\necho no such service >&2\nexit 5\n")
        control.chmod(0o755)
        service = budget.service().model_copy(update={"control": str(control)})
        with pytest.raises(CommandFailed, match=r"종료 코드 5.*no such service"):
            ask("service.restart", sshd.host(service), service="budget")


class TestLogLevel:
    def test_it_is_changed_and_the_service_reloaded(self, ask: Ask, sshd: Any, budget: Any) -> None:
        host = sshd.host(budget.service())
        assert ask("service.log_level", host, service="budget") == {"level": "INFO"}
        ask("service.set_log_level", host, service="budget", level="DEBUG", previous="INFO")
        assert ask("service.log_level", host, service="budget") == {"level": "DEBUG"}
        assert budget.asked == ["start", "reload"]
        assert (budget.root / "conf" / "log_level").read_text() == "DEBUG\n"
        assert [p.name for p in (budget.root / "conf").iterdir()] == ["log_level"]

    def test_undo_restores_the_previous_level(self, ask: Ask, sshd: Any, budget: Any) -> None:
        host = sshd.host(budget.service())
        ask("service.set_log_level", host, service="budget", level="DEBUG", previous="INFO")
        ask("service.set_log_level", host, service="budget", level="INFO", previous="DEBUG")
        assert ask("service.log_level", host, service="budget") == {"level": "INFO"}

    def test_a_concurrent_change_is_not_overwritten(self, ask: Ask, sshd: Any, budget: Any) -> None:
        host = sshd.host(budget.service())
        (budget.root / "conf" / "log_level").write_text("ERROR\n")
        with pytest.raises(CommandFailed, match="log_level is ERROR, not INFO"):
            ask("service.set_log_level", host, service="budget", level="DEBUG", previous="INFO")
        assert budget.asked == ["start"]

    def test_file_permissions_are_kept(self, ask: Ask, sshd: Any, budget: Any) -> None:
        path = budget.root / "conf" / "log_level"
        path.chmod(0o640)
        host = sshd.host(budget.service())
        ask("service.set_log_level", host, service="budget", level="DEBUG", previous="INFO")
        assert path.stat().st_mode & 0o777 == 0o640

    def test_without_a_file_it_fails(self, ask: Ask, sshd: Any, budget: Any) -> None:
        (budget.root / "conf" / "log_level").unlink()
        host = sshd.host(budget.service())
        with pytest.raises(CommandFailed):
            ask("service.log_level", host, service="budget")
        with pytest.raises(CommandFailed):
            ask("service.set_log_level", host, service="budget", level="DEBUG", previous="INFO")


class TestWayIn:
    HOST = Host(
        server_id="MOF-WAS-01",
        institution="MOF",
        kind="WAS",
        facts=Facts(init="systemd"),
        services=(
            Service(name="auth", kind="authlog", unit="ssh.service"),
            Service(name="cron", kind="system", unit="cron.service"),
        ),
    )

    @pytest.mark.parametrize("verb", ["stop", "disable"])
    def test_ssh_is_neither_stopped_nor_disabled(self, verb: str) -> None:
        tool = catalog.find(f"service.{verb}")
        with pytest.raises(Refused, match="접속 경로"):
            planning.prepare(ToolCall(tool=tool.name, args={"service": "auth"}), self.HOST)
        assert tool.rights(self.HOST, self.HOST.service("auth")) == ()
        planning.prepare(ToolCall(tool=tool.name, args={"service": "cron"}), self.HOST)
        assert tool.rights(self.HOST, self.HOST.service("cron"))
