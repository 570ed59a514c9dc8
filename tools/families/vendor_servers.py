"""Managed servers of a vendor's application server, declared as data: state, start, stop.

The programs are the vendor's own and sign in by themselves, from a file that only the account can
read: a password is never an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.families.service_restart import START_TIMEOUT
from guardia.tools.findings import Count, Done, FindingsModel, Word
from guardia.tools.target import HTTP_KINDS, service_on
from guardia.tools.tool import (
    EvidenceChoice,
    Findings,
    ServiceArgs,
    Tool,
    jmespath_literal,
    stdout_parser,
    success_findings,
)

ServerName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]


class ServerArgs(ServiceArgs):
    """A managed server of the domain."""

    instance: ServerName


class ManagedServer(FindingsModel):
    """A managed server, and whether it serves requests."""

    name: Word
    state: Word
    running: bool
    pid: Count | None


class ServersFindings(FindingsModel):
    """All servers of the domain that the program names."""

    servers: Annotated[list[ManagedServer], Field(max_length=500)]


@dataclass(frozen=True)
class Vendor:
    """How one product is asked and controlled, and where this is described."""

    family: str
    products: tuple[str, ...]
    manual: str
    list_servers: Script
    read_servers: Callable[[str], Findings]
    scripts: Mapping[str, Script]
    """By verb: `start` and `stop`, called with the root folder, the server, the limit in seconds
    and the further arguments."""
    args: type[ServerArgs]
    further: tuple[str, ...] = ()
    """Names of the further arguments."""

    def tools(self) -> tuple[Tool[Any], ...]:
        """Declare the tools of the product."""
        return (
            Tool(
                name=f"{self.family}.servers",
                risk=Risk.READ,
                args=ServiceArgs,
                command=lambda args, host: Command.script(
                    self.list_servers, self._root(service_on(host, args.service, HTTP_KINDS))
                ),
                parse=stdout_parser(f"{self.family}.servers", self.read_servers),
                findings=ServersFindings,
                kinds=HTTP_KINDS,
                platforms=(self.family,),
                manual=self.manual,
                timeout=90.0,
            ),
            self._change("start", "stop"),
            self._change("stop", "start"),
        )

    def _change(self, verb: str, back: str) -> Tool[Any]:
        name = f"{self.family}.{verb}"
        starts = verb == "start"
        return Tool(
            name=name,
            risk=Risk.CHANGE,
            args=self.args,
            command=lambda args, host: self._command(verb, args, host),
            parse=stdout_parser(name, success_findings),
            findings=Done,
            precheck=lambda args: self._is(args, running=not starts),
            verify=lambda args: self._is(args, running=starts, within=60),
            undo=lambda args: ToolCall(tool=f"{self.family}.{back}", args=args.model_dump()),
            undo_verify=lambda args: self._is(args, running=not starts, within=60),
            choices=(EvidenceChoice("instance", f"{self.family}.servers", "servers[].name"),),
            kinds=HTTP_KINDS,
            platforms=(self.family,),
            manual=self.manual,
            timeout=START_TIMEOUT,
        )

    def _command(self, verb: str, args: ServerArgs, host: Host) -> Command:
        service = service_on(host, args.service, HTTP_KINDS)
        words = [getattr(args, name) for name in self.further]
        return Command.script(
            self.scripts[verb], self._root(service), args.instance, service.start_seconds, *words
        ).leaving_children()

    def _root(self, service: Service) -> str:
        if service.product.lower() not in self.products:
            raise Refused(
                why=t(
                    f"tools.{self.family}.wrong_product",
                    service=service.name,
                    product=service.product or "-",
                )
            )
        return target.root(service)

    def _is(self, args: ServerArgs, *, running: bool, within: int = 0) -> tuple[Check, ...]:
        call = ToolCall(tool=f"{self.family}.servers", args={"service": args.service})
        name = jmespath_literal(args.instance)
        of_server = f"servers[?name == {name}].running | [0]"
        key = "runs" if running else "stopped"
        sentence = t(f"tools.{self.family}.{key}", instance=args.instance)
        expect = f"({of_server}) == `{str(running).lower()}`"
        return (Check(call=call, expect=expect, within=within, sentence=sentence),)
