"""Which tools will work on a server, and what is missing for the others."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from guardia.board.core.actors import Actor
from guardia.board.core.plan import Risk, ToolCall
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host, PersonInfo, Service
from guardia.tools import catalog
from guardia.tools.enrolment.rights_facts import MAX_RIGHTS
from guardia.tools.gate import Gate
from guardia.tools.tool import Right, Tool

_CLIENTS = frozenset({"psql", "mysql", "mariadb", "sqlplus", "tbsql", "csql"})
_DATABASES = frozenset({"postgresql", "mysql", "oracle", "tibero", "cubrid"})
_UNIX = frozenset({"aix", "hp-ux", "sunos", "darwin", "freebsd"})


@dataclass(frozen=True, slots=True)
class ToolCheck:
    """Whether a tool will work on a server, for one of its services."""

    tool: str
    risk: Risk
    service: str | None
    missing: tuple[str, ...]
    """What is missing, as sentences; empty: it works."""

    def as_plain(self) -> dict[str, Any]:
        """Return the check as JSON."""
        return {
            "tool": self.tool,
            "risk": self.risk.name,
            "service": self.service,
            "works": self.works,
            "missing": list(self.missing),
        }

    @property
    def works(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class _Use:
    """A tool for a service of a server, and the rights that it needs there."""

    tool: Tool[Any]
    service: Service | None
    rights: tuple[Right, ...]
    refused: str


def check(gate: Gate, by: PersonInfo | Actor, host: Host) -> tuple[ToolCheck, ...]:
    """Check every tool that applies to a server; rights are asked on the server itself."""
    uses = list(_uses(host))
    rights = tuple(dict.fromkeys(right for use in uses for right in use.rights))
    return judge(host, permitted(gate, by, host, rights), uses)


def permitted(
    gate: Gate, by: PersonInfo | Actor, host: Host, rights: tuple[Right, ...]
) -> frozenset[Right]:
    """Return which of these commands sudo permits on the server."""
    allowed: set[Right] = set()
    for start in range(0, len(rights), MAX_RIGHTS):
        part = rights[start : start + MAX_RIGHTS]
        commands = [json.dumps(right) for right in part]
        found = gate.inspect(by, host, ToolCall(tool="enrol.rights", args={"commands": commands}))
        allowed.update(part[number] for number in found["allowed"] if number < len(part))
    return frozenset(allowed)


def judge(
    host: Host, allowed: Collection[Right], uses: Iterable[_Use] | None = None
) -> tuple[ToolCheck, ...]:
    """Return the check of each tool that applies to a server; pure."""
    return tuple(
        ToolCheck(
            use.tool.name,
            use.tool.risk,
            use.service.name if use.service else None,
            tuple(_missing(host, use, allowed)),
        )
        for use in (_uses(host) if uses is None else uses)
    )


def rights_of(host: Host, tools: Collection[str] = ()) -> dict[str, tuple[Right, ...]]:
    """Return the rights that each chosen tool needs on a server; all tools without a choice.

    Raises `Refused` for a name that no tool has.
    """
    for name in tools:
        catalog.find(name)
    found: dict[str, list[Right]] = {}
    for use in _uses(host):
        chosen = use.tool.name in tools if tools else not use.tool.manual
        if chosen and use.rights:
            found.setdefault(use.tool.name, []).extend(use.rights)
    return {name: tuple(dict.fromkeys(rights)) for name, rights in found.items()}


def _uses(host: Host) -> Iterator[_Use]:
    """Yield each tool with each service that it acts on, or with the server itself."""
    for tool in catalog.CATALOG.values():
        services: list[Service | None] = (
            [s for s in host.services if s.kind in tool.kinds and _fits(tool, host, s)]
            if tool.kinds
            else [None]
            if _fits(tool, host, None)
            else []
        )
        for service in services:
            try:
                yield _Use(tool, service, tuple(tool.rights(host, service)), "")
            except Refused as error:
                yield _Use(tool, service, (), str(error.detail.get("why", error)))


def _fits(tool: Tool[Any], host: Host, service: Service | None) -> bool:
    """Return whether one of a tool's platforms is that of the server or of the service."""
    return any(_is_platform(name, host, service) for name in tool.platforms)


def _is_platform(name: str, host: Host, service: Service | None) -> bool:
    if name == "linux":
        return host.facts.os not in _UNIX
    if name == "systemd":
        return host.facts.init == "systemd" and (service is None or service.unit is not None)
    if name == "script":
        return service is not None and service.control is not None
    return service is not None and name in (service.product, service.kind)


def _missing(host: Host, use: _Use, allowed: Collection[Right]) -> Iterator[str]:
    if use.refused:
        yield use.refused
    programs = {path.rpartition("/")[2] for path in host.facts.programs}
    if host.facts.gathered_at is None:
        if use.tool.requires or use.rights:
            yield t("enrolment.check.not_probed")
    else:
        needed = ("bash", *use.tool.requires)
        for choice in needed:
            if programs.isdisjoint(name.rpartition("/")[2] for name in choice.split("|")):
                yield t("enrolment.check.program", program=choice.replace("|", " / "))
    for right in use.rights:
        if right not in allowed:
            yield t("enrolment.check.right", command=" ".join(right))
    if _lacks_role(use):
        yield t("enrolment.check.role", service=use.service.name if use.service else "-")
    if not use.refused and (why := _command_refused(host, use)):
        yield why


def _lacks_role(use: _Use) -> bool:
    """Return whether a tool that uses a database's client has no role to sign in with."""
    clients = {name for choice in use.tool.requires for name in choice.split("|")}
    service = use.service
    return (
        service is not None
        and service.kind in _DATABASES
        and not clients.isdisjoint(_CLIENTS)
        and not service.login
        and not use.rights
    )


def _command_refused(host: Host, use: _Use) -> str:
    """Return why the command cannot be built, for tools that need no other argument."""
    words = {"service": use.service.name} if use.service else {}
    try:
        args = use.tool.args.model_validate(words)
    except ValidationError:
        return ""
    try:
        use.tool.command(args, host)
    except Refused as error:
        return str(error.detail.get("why", error))
    return ""
