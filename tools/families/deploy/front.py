"""Take a server out of an upstream of this host's nginx, and put it back.

The server that is taken out may be any: the tool runs where the load balancer is. The web server's
CMDB entry lists the files (`balancer_files`) for which sudo needs rights.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import StringConstraints

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools.balancers import ADDRESS, UPSTREAM, UpstreamPlace
from guardia.tools.command import Command
from guardia.tools.families.config.places import FileArgs, rights_for
from guardia.tools.families.deploy import upstream
from guardia.tools.findings import Done, FindingsModel
from guardia.tools.target import HTTP_KINDS
from guardia.tools.tool import Findings, Right, Tool, stdout_parser, success_findings

_SECONDS = 30
"""Time in which a server's traffic must have ended or begun again."""


class BalancedFindings(FindingsModel):
    """Whether a server gets requests from the upstream."""

    balanced: bool


class UpstreamArgs(FileArgs):
    """A server in an upstream: the nginx, its file, the upstream and the server's address."""

    upstream: Annotated[str, StringConstraints(pattern=rf"^{UPSTREAM}$")]
    address: Annotated[str, StringConstraints(pattern=rf"^{ADDRESS}$")]


def _command(verb: str, args: UpstreamArgs, host: Host) -> Command:
    place = UpstreamPlace("", args.service, args.file, args.upstream, args.address)
    return upstream.place_command(verb, host, place)


def _read(text: str) -> Findings:
    return {"balanced": {"in": True, "out": False}[text.strip()]}


def _rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    if service is None:
        return ()
    if not service.balancer_files:
        what = "balancer_files"
        raise Refused(why=t("tools.target.lacks", service=service.name, what=what))
    found = [rights_for(host, service, file) for file in service.balancer_files]
    return tuple(dict.fromkeys(right for rights in found for right in rights))


def _is(args: UpstreamArgs, expect: str, sentence: str) -> tuple[Check, ...]:
    call = ToolCall(tool="deploy.upstream", args=args.model_dump())
    words = {"address": args.address, "upstream": args.upstream}
    return (Check(call=call, expect=expect, within=_SECONDS, sentence=t(sentence, **words)),)


def _out(args: UpstreamArgs) -> tuple[Check, ...]:
    return _is(args, "!balanced", "tools.deploy.take_out.verify")


def _in(args: UpstreamArgs) -> tuple[Check, ...]:
    return _is(args, "balanced", "tools.deploy.put_back.verify")


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="deploy.upstream",
        risk=Risk.READ,
        args=UpstreamArgs,
        command=lambda args, host: _command("status", args, host),
        parse=stdout_parser("deploy.upstream", _read),
        findings=BalancedFindings,
        kinds=HTTP_KINDS,
        platforms=("nginx",),
        rights=_rights,
        tried_on=("debian-12",),
    ),
    Tool(
        name="deploy.take_out",
        risk=Risk.CHANGE,
        args=UpstreamArgs,
        command=lambda args, host: _command("drain", args, host),
        parse=stdout_parser("deploy.take_out", success_findings),
        findings=Done,
        precheck=lambda args: _is(args, "balanced", "tools.deploy.take_out.precheck"),
        verify=_out,
        undo=lambda args: ToolCall(tool="deploy.put_back", args=args.model_dump()),
        undo_verify=_in,
        timeout=300.0,
        kinds=HTTP_KINDS,
        platforms=("nginx",),
        rights=_rights,
        tried_on=("debian-12",),
    ),
    Tool(
        name="deploy.put_back",
        risk=Risk.CHANGE,
        args=UpstreamArgs,
        command=lambda args, host: _command("restore", args, host),
        parse=stdout_parser("deploy.put_back", success_findings),
        findings=Done,
        verify=_in,
        undo=lambda args: ToolCall(tool="deploy.take_out", args=args.model_dump()),
        undo_verify=_out,
        timeout=300.0,
        kinds=HTTP_KINDS,
        platforms=("nginx",),
        rights=_rights,
        tried_on=("debian-12",),
    ),
)
