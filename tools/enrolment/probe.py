"""Probe a server through the gate: gather facts, and propose its services."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from guardia.board.core.actors import Actor
from guardia.board.core.plan import ToolCall
from guardia.org.directory import Facts, Host, PersonInfo, Service
from guardia.tools import catalog
from guardia.tools.enrolment import proposals
from guardia.tools.enrolment.endpoint_facts import MAX_ENDPOINTS, EndpointFindings
from guardia.tools.enrolment.report import ProbeReport, ProposedService
from guardia.tools.enrolment.socket_facts import SocketFindings
from guardia.tools.enrolment.system_facts import SystemFindings, software_versions
from guardia.tools.gate import Gate

_ALWAYS = (
    "apache2", "apache2ctl", "apachectl", "awk", "bash", "cat", "chage", "chmod", "chown", "cp",
    "crontab", "cubrid", "curl", "df", "du", "faillock", "find", "getent", "grep", "gzip", "head",
    "httpd", "install", "java", "jcmd", "journalctl", "kill", "ln", "ls", "lsof", "mariadb",
    "mariadbd", "mkdir", "mv", "mysql", "mysqld", "netstat", "nginx", "openssl", "pam_tally2",
    "passwd", "pgrep", "ps", "psql", "readlink", "repquota", "rm", "sed", "sha256sum", "ss", "stat",
    "sudo", "systemctl", "systemd-analyze", "tail", "tar", "tee", "test", "timeout", "touch",
    "visudo", "zcat",
)  # fmt: skip
"""Programs that tools name by their full path, in addition to those that they require."""


def wanted_programs() -> tuple[str, ...]:
    """Return the names of all programs that tools use."""
    named = [n for tool in catalog.CATALOG.values() for r in tool.requires for n in r.split("|")]
    return tuple(sorted({name.rpartition("/")[2] for name in (*named, *_ALWAYS)}))


def probe(gate: Gate, by: PersonInfo | Actor, host: Host, now: datetime) -> ProbeReport:
    """Read a server in three bounded steps. Raises what `Gate.inspect` raises."""

    def read(tool: str, **args: Any) -> dict[str, Any]:
        return gate.inspect(by, host, ToolCall(tool=tool, args=args))

    sent = time.time()
    system = SystemFindings.model_validate(read("enrol.system", programs=list(wanted_programs())))
    offset = system.clock - (sent + time.time()) / 2
    running = SocketFindings.model_validate(read("enrol.sockets"))
    asked = proposals.endpoints_to_ask(host.address, running)[:MAX_ENDPOINTS]
    places = [p for p in proposals.places_to_look(running) if _is_plain(p)][:100]
    answering = EndpointFindings.model_validate(
        read("enrol.endpoints", endpoints=list(asked), logs=places)
    )
    found = proposals.propose(host.address, system, running, answering)
    return ProbeReport(
        facts=_facts(system, now),
        system=system,
        running=running,
        answering=answering,
        clock_offset=round(offset, 1),
        kind=proposals.propose_kind(found),
        proposals=tuple(ProposedService(service=p.service, why=p.why) for p in found),
    )


def _is_plain(path: str) -> bool:
    return (
        path.startswith("/") and all(c.isalnum() or c in "/._@+-" for c in path) and path.isascii()
    )


def _facts(system: SystemFindings, now: datetime) -> Facts:
    return Facts(
        os=system.os,
        os_version=system.os_version,
        kernel=system.kernel,
        init=system.init,
        shell=system.shell,
        programs=tuple(dict.fromkeys(system.programs)),
        encoding=system.encoding,
        versions=software_versions(system.versions),
        gathered_at=now,
    )


def accepted(report: ProbeReport, names: Iterable[str] | None = None) -> tuple[Service, ...]:
    """Return the proposed services with these names; all of them without names."""
    wanted = None if names is None else set(names)
    found = (p.service for p in report.proposals)
    return tuple(s for s in found if wanted is None or s.name in wanted)
