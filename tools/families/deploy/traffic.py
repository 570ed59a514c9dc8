"""Take a service out of its load balancer before a change, and put it back after it."""

from __future__ import annotations

from typing import Any

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools import balancers, target
from guardia.tools.command import Command, Script
from guardia.tools.families.deploy import upstream
from guardia.tools.findings import Done, FindingsModel
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.target import service_on
from guardia.tools.tool import (
    Findings,
    Right,
    ServiceArgs,
    Tool,
    stdout_parser,
    success_findings,
)

_SECONDS = 30
"""Time in which a server's traffic must have ended or begun again."""

_RUN = Script(
    "deploy.traffic",
    AS_ROOT
    + r"""
script=$1 verb=$2
if [ -O "$script" ] || [ "$verb" = status ]; then "$script" "$verb" </dev/null
else as_root "$script" "$verb"; fi
""",
)


class TrafficFindings(FindingsModel):
    """Whether the service gets requests from its load balancer."""

    balanced: bool


def _command(verb: str, args: ServiceArgs, host: Host) -> Command:
    service = service_on(host, args.service)
    if _is_upstream(service):
        return upstream.command(verb, host, service)
    script = target.drain(service)
    return privileged_script(host, _RUN, script, verb)


def _is_upstream(service: Service) -> bool:
    """Return whether nginx on the same host is its load balancer, not a script."""
    return (service.drain or "").startswith(balancers.PREFIX)


def _read(text: str) -> Findings:
    return {"balanced": {"in": True, "out": False}[text.strip()]}


def _rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    if service is None or not balancers.is_drained_locally(service):
        return ()
    if _is_upstream(service):
        return upstream.rights(host, service)
    script = target.drain(service)
    return ((script, "drain"), (script, "restore"))


def _is(args: ServiceArgs, expect: str, sentence: str) -> tuple[Check, ...]:
    call = ToolCall(tool="deploy.traffic", args={"service": args.service})
    return (Check(call=call, expect=expect, within=_SECONDS, sentence=t(sentence)),)


def _out(args: ServiceArgs) -> tuple[Check, ...]:
    return _is(args, "!balanced", "tools.deploy.drain.verify")


def _in(args: ServiceArgs) -> tuple[Check, ...]:
    return _is(args, "balanced", "tools.deploy.undrain.verify")


def _other(tool: str, args: ServiceArgs) -> ToolCall:
    return ToolCall(tool=tool, args={"service": args.service})


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="deploy.traffic",
        risk=Risk.READ,
        args=ServiceArgs,
        command=lambda args, host: _command("status", args, host),
        parse=stdout_parser("deploy.traffic", _read),
        findings=TrafficFindings,
        tried_on=("openssh", "debian-12"),
    ),
    Tool(
        name="deploy.drain",
        risk=Risk.CHANGE,
        args=ServiceArgs,
        command=lambda args, host: _command("drain", args, host),
        parse=stdout_parser("deploy.drain", success_findings),
        findings=Done,
        precheck=lambda args: _is(args, "balanced", "tools.deploy.drain.precheck"),
        verify=_out,
        undo=lambda args: _other("deploy.undrain", args),
        undo_verify=_in,
        timeout=300.0,
        rights=_rights,
        tried_on=("openssh", "debian-12"),
    ),
    Tool(
        name="deploy.undrain",
        risk=Risk.CHANGE,
        args=ServiceArgs,
        command=lambda args, host: _command("restore", args, host),
        parse=stdout_parser("deploy.undrain", success_findings),
        findings=Done,
        verify=_in,
        undo=lambda args: _other("deploy.drain", args),
        undo_verify=_out,
        timeout=300.0,
        rights=_rights,
        tried_on=("openssh", "debian-12"),
    ),
)
