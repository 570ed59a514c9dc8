"""Tools on a real machine: as a plain account, with exactly the rights that the tools name."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jmespath
from machines_env import Machine

from guardia.board.core.plan import Action, Check, ToolCall
from guardia.errors import CommandFailed, Refused
from guardia.org.directory import Facts, Host, Service
from guardia.tools import catalog, planning
from guardia.tools.output import Output
from guardia.tools.tool import PatternWord, Right, Tool
from guardia.tools.transport.connections import Connections

PROGRAMS = (
    *map("/usr/bin/{}".format, ("systemctl", "journalctl", "tail", "cp", "mv", "cat")),
    "/usr/bin/systemd-analyze",
    "/usr/sbin/nginx",
    "/usr/sbin/sshd",
)
_SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\:=,"})


def rights_of_tool(tool: Tool[Any], host: Host, service: Service) -> tuple[Right, ...]:
    """Return the rights that a tool needs for a service; none where it cannot work."""
    try:
        return tuple(tool.rights(host, service))
    except Refused:
        return ()


@dataclass
class MachineTools:
    """Calls tools on one machine, as the gate would."""

    machine: Machine
    host: Host
    connections: Connections

    def read(self, tool: str, **args: Any) -> dict[str, Any]:
        """Return the findings of a read."""
        return self.run(ToolCall(tool=tool, args=args))

    def propose(self, tool: str, **args: Any) -> Action:
        """Return the action of a change."""
        return planning.propose(ToolCall(tool=tool, args=args), self.host)

    def change(self, tool: str, **args: Any) -> Action:
        """Run a change between its checks."""
        action = self.propose(tool, **args)
        self.require(action.precheck)
        self.run(action.call)
        self.require(action.verify)
        return action

    def undo(self, action: Action) -> None:
        """Undo a change and verify that."""
        assert action.undo is not None
        self.run(action.undo)
        self.require(action.undo_verify)

    def require(self, checks: Iterable[Check]) -> None:
        """Wait for checks as the gate does."""
        for check in checks:
            end, found = time.monotonic() + check.within, self._found(check)
            while not jmespath.search(check.expect, found) and time.monotonic() < end:
                time.sleep(0.5)
                found = self._found(check)
            assert jmespath.search(check.expect, found), (check.expect, found)

    def _found(self, check: Check) -> dict[str, Any]:
        try:
            return self.run(check.call)
        except CommandFailed:
            return {}

    def run(self, call: ToolCall) -> dict[str, Any]:
        """Run one call as the plain account and return its findings."""
        tool, _, command = planning.prepare(call, self.host)
        output: Output = self.connections.run(self.host, command, timeout=tool.timeout)
        findings: dict[str, Any] = tool.parse(output)
        return findings


def machine_host(machine: Machine, *services: Service) -> Host:
    """Return a machine as the CMDB knows it after it was probed."""
    return Host(
        server_id="MACHINE-01",
        institution="TEST",
        kind="WAS",
        address=machine.address,
        port=machine.ssh_port,
        account=machine.account,
        host_key=machine.host_key,
        credential="user",
        services=services,
        facts=Facts(os="debian", os_version="12", init="systemd", programs=PROGRAMS),
    )


def _in_sudoers(word: str) -> str:
    return word.pattern if isinstance(word, PatternWord) else word.translate(_SPECIAL)


def grant_rights(machine: Machine, host: Host, *tools: str) -> None:
    """Write the lines of sudoers that tools need on the services of a host, and nothing else."""
    lines = set()
    for name in tools:
        for service in host.services:
            try:
                rights = catalog.find(name).rights(host, service)
            except Refused:
                continue
            for right in rights:
                words = " ".join(map(_in_sudoers, right))
                lines.add(f"{host.account} ALL=(root) NOPASSWD: {words}")
    text = "\\n".join(line.replace("\\", "\\\\") for line in sorted(lines))
    machine.must(
        f"printf '{text}\\n' > /etc/sudoers.d/tools && chmod 440 /etc/sudoers.d/tools && visudo -cq"
    )
