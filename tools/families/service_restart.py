"""Restart a service, until its health check answers: what all control of services shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from guardia.board.core.plan import Risk
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.families.service import healthy_checks, listen_argument
from guardia.tools.families.service_shell import (
    CONTROL,
    LISTENER,
    REQUEST,
    ROOT_CONTROL,
    SERVICE_PIDS,
    UNIT_CONTROL,
)
from guardia.tools.findings import Done
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.target import HTTP_KINDS, service_on
from guardia.tools.tool import Right, ServiceArgs, Tool, stdout_parser, success_findings

START_TIMEOUT = 3600.0
"""Seconds; the service's own `start_seconds` ends the wait earlier."""
CUTTING_OFF = frozenset({"stop", "disable"})
"""Verbs that would cut a server off if they were applied to its own SSH."""

# Here-documents are avoided, because bash writes them to a disk that may be full.
_RESTART = Script(
    "service.restart",
    SERVICE_PIDS
    + LISTENER
    + REQUEST
    + CONTROL
    + r"""
control=$1 root=$2 port=$3 path=$4 scheme=$5 limit=$6 listen=${7:-}
run_control restart
""",
)

_RESTART_INIT = Script(
    "service.restart",
    AS_ROOT
    + SERVICE_PIDS
    + LISTENER
    + REQUEST
    + CONTROL
    + ROOT_CONTROL
    + r"""
control=$1 root=$2 port=$3 path=$4 scheme=$5 limit=$6 listen=${7:-}
run_control restart
""",
)

_RESTART_UNIT = Script(
    "service.restart",
    AS_ROOT
    + LISTENER
    + REQUEST
    + UNIT_CONTROL
    + r"""
unit=$1 port=$2 path=$3 scheme=$4 limit=$5 systemctl=$6 listen=$7
require_unit
call_unit restart
await_health
""",
)


def control_arguments(service: Service) -> tuple[str | int, ...]:
    """Return what `CONTROL` needs. Raises `Refused` for a service that cannot be verified."""
    return (
        target.control(service),
        service.root or "",
        target.port(service),
        target.health(service),
        "tls" if service.kind == "tls" else "plain",
        service.start_seconds,
        *listen_argument(service),
    )


def _restart(args: ServiceArgs, host: Host) -> Command:
    service = service_on(host, args.service, HTTP_KINDS)
    if target.is_systemd(host, service):
        command = privileged_script(host, _RESTART_UNIT, *unit_arguments(host, service))
    elif target.is_init_script(service):
        command = privileged_script(host, _RESTART_INIT, *control_arguments(service))
    else:
        command = Command.script(_RESTART, *control_arguments(service))
    return command.leaving_children()


def unit_arguments(host: Host, service: Service) -> tuple[str | int, ...]:
    """Return what `UNIT_CONTROL` needs. Raises `Refused` for a service that cannot be verified."""
    return (
        target.unit(host, service),
        target.port(service),
        target.health(service),
        "tls" if service.kind == "tls" else "plain",
        service.start_seconds,
        host.facts.program("systemctl"),
        target.address(service),
    )


def verb_rights(
    verb: str, *, scripts: bool = True
) -> Callable[[Host, Service | None], tuple[Right, ...]]:
    """Return the rights to one verb of a unit, or of a script of the system if it knows it."""

    def rights(host: Host, service: Service | None) -> tuple[Right, ...]:
        if service is None:
            return ()
        if verb in CUTTING_OFF and target.is_way_in(host, service):
            return ()
        if target.is_systemd(host, service):
            return ((host.facts.program("systemctl"), verb, target.unit(host, service)),)
        is_script = scripts and target.is_init_script(service)
        return ((str(service.control), verb),) if is_script else ()

    return rights


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="service.restart",
        risk=Risk.CHANGE,
        args=ServiceArgs,
        command=_restart,
        parse=stdout_parser("service.restart", success_findings),
        findings=Done,
        verify=lambda args: healthy_checks(
            args.service, 30, t("tools.service.restart.verify", service=args.service)
        ),
        irreversible="tools.service.restart.irreversible",
        kinds=HTTP_KINDS,
        platforms=("linux", "systemd", "script"),
        rights=verb_rights("restart"),
        tried_on=("fleet", "debian-12", "debian-12-sysvinit"),
        timeout=START_TIMEOUT,
    ),
)
