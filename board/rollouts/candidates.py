"""Services that an artefact can be deployed on, for the page that plans a rollout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from guardia.board.cmdb import server_list
from guardia.board.cmdb.server_list import ServerFilter
from guardia.board.core.context import BoardContext
from guardia.org.directory import Host, PersonInfo, Service

MOST = 200
"""Servers that the page offers at most; a filter finds the others."""


@dataclass(frozen=True, slots=True)
class DeployableService:
    """One service on one server."""

    server: str
    institution: str
    kind: str
    service: str
    layout: str
    drained: bool
    """Whether it is taken out of its load balancer for the change."""

    @property
    def value(self) -> str:
        """How forms name it."""
        return f"{self.server}={self.service}"


@dataclass(frozen=True, slots=True)
class DeployableServices:
    """The services that fit a filter."""

    rows: tuple[DeployableService, ...]
    is_cut: bool
    """Whether more servers fit than are offered."""


def find(
    board: BoardContext, by: PersonInfo, wanted: ServerFilter, service: str
) -> DeployableServices:
    """Return the deployable services of the servers that fit; `service` is a part of its name."""
    page = server_list.servers(board, by, wanted, size=MOST)
    rows = [
        DeployableService(
            host.server_id, name, host.kind, one.name, _layout(one), one.drain is not None
        )
        for host, name in page.rows
        if not host.blocked
        for one in _deployable(host)
        if service.lower() in one.name.lower()
    ]
    return DeployableServices(tuple(rows), page.after is not None)


def with_ticked(found: DeployableServices, ticked: Sequence[str]) -> DeployableServices:
    """Put servers that were ticked, and that a new filter does not find, before the others."""
    shown = {row.value for row in found.rows}
    kept = [value.partition("=") for value in ticked if value not in shown and "=" in value]
    rows = [DeployableService(server, "", "", service, "", False) for server, _, service in kept]
    return replace(found, rows=(*rows, *found.rows))


def _deployable(host: Host) -> list[Service]:
    return [one for one in host.services if _layout(one)]


def _layout(service: Service) -> str:
    if service.layout is None and service.root and (service.control or service.unit):
        return "releases"
    return service.layout or ""
