"""Plan the deployment of an artefact on one server, from what the server runs now.

The layout of the service decides which tools do it. Everything is fixed in the plan: the digest of
what is deployed and of what it replaces, so a server that has changed since refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from guardia.board.core.plan import Action, Category, Check, Citation, Plan, ToolCall
from guardia.errors import Refused
from guardia.i18n import t, t_default
from guardia.org.directory import Host, Service
from guardia.tools import balancers, planning
from guardia.tools.target import HTTP_KINDS, service_on

Read = Callable[[ToolCall], dict[str, Any]]
"""Runs a read on the server and returns its findings."""


@dataclass(frozen=True, slots=True)
class Content:
    """An artefact to deploy."""

    name: str
    version: str
    file_name: str
    sha256: str
    size: int

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments by which tools name it."""
        return {"sha256": self.sha256, "size": self.size}


_TRAFFIC = ("drain", "undrain")
FindContent = Callable[[str, str], Content | None]
"""Finds the artefact with a name and a version, to restore it."""


@dataclass(frozen=True, slots=True)
class HealthGate:
    """What a server must hold for a while after its change, or it is rolled back."""

    seconds: int = 10
    failed_percent: int = 0
    milliseconds: int = 3000
    """Within which 95% of the requests must be answered."""
    body: str = ""
    """A text that every answer must contain; empty: any."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is deployed on which service, and how artefacts are found."""

    content: Content
    service: str
    find: FindContent
    file: str = ""
    """Name of a WAR, if it is not that of the uploaded file."""
    package: str = ""
    """Name of a package, if it is not that of the artefact."""
    gate: HealthGate = HealthGate()


def plan_server(host: Host, wanted: Deployment, read: Read) -> Plan:
    """Return the plan for one server.

    Raises `Refused` if its service has no layout, has this version, or could not be restored.
    """
    service = service_on(host, wanted.service)
    calls = _LAYOUTS.get(_layout(service), _no_layout)(host, service, wanted, read)
    changing = calls[-1]
    if balancers.is_drained_locally(service):
        # Undone in the reverse order: the server gets no traffic until it is as before.
        ends = (ToolCall(tool=f"deploy.{v}", args={"service": service.name}) for v in _TRAFFIC)
        first, last = ends
        calls = [first, *calls, last]
    actions = tuple(planning.propose(call, host) for call in calls)
    # A plan that does not start is done only if the server runs what it was to deploy.
    deployed = next(one.verify for one in actions if one.call.tool == changing.tool)
    return _plan(host, wanted, actions, (*deployed, *_gate(service, wanted.gate)))


def _gate(service: Service, gate: HealthGate) -> tuple[Check, ...]:
    """Return the check of the whole plan, for a service that answers over HTTP."""
    if service.kind not in HTTP_KINDS or service.health is None or service.port is None:
        return ()
    call = ToolCall(
        tool="deploy.watch",
        args={"service": service.name, "seconds": gate.seconds, "body": gate.body},
    )
    expect = (
        f"requests > `0` && failed_percent <= `{gate.failed_percent}`"
        f" && p95_milliseconds <= `{gate.milliseconds}`"
    )
    words = {"seconds": gate.seconds, "failed": gate.failed_percent}
    sentence = t("tools.deploy.watch.gate", **words, milliseconds=gate.milliseconds)
    return (Check(call=call, expect=expect, sentence=sentence),)


def _layout(service: Service) -> str:
    if service.layout is None and service.root and (service.control or service.unit):
        return "releases"  # a server of before, without facts
    return service.layout or ""


def _no_layout(_host: Host, service: Service, _wanted: Deployment, _read: Read) -> list[ToolCall]:
    raise Refused(why=t("rollouts.no_plan", service=service.name))


def _releases(host: Host, service: Service, wanted: Deployment, read: Read) -> list[ToolCall]:
    named = {"service": service.name}
    content = wanted.content
    found = read(ToolCall(tool="deploy.current", args=named))
    previous = found["version"]
    if previous is None:
        raise Refused(why=t("rollouts.no_plan", service=service.name))
    if previous == content.version:
        raise Refused(why=t("rollouts.same_version", server=host.server_id))
    version = {**named, "version": content.version}
    return [
        ToolCall(tool="deploy.stage", args={**version, **content.arguments}),
        ToolCall(tool="deploy.activate", args={**version, "previous": previous}),
    ]


def _war(host: Host, service: Service, wanted: Deployment, read: Read) -> list[ToolCall]:
    named = {"service": service.name, "file": wanted.file or wanted.content.file_name}
    found = read(ToolCall(tool="deploy.war_state", args=named))
    previous = found["sha256"] or ""
    if previous == wanted.content.sha256:
        raise Refused(why=t("rollouts.same_version", server=host.server_id))
    args = {**named, **wanted.content.arguments, "previous": previous}
    return [ToolCall(tool="deploy.war", args=args)]


def _site(host: Host, service: Service, wanted: Deployment, read: Read) -> list[ToolCall]:
    named = {"service": service.name}
    found = read(ToolCall(tool="deploy.site_state", args=named))
    if found["sha256"] == wanted.content.sha256:
        raise Refused(why=t("rollouts.same_version", server=host.server_id))
    args = {**named, **wanted.content.arguments, "previous": found["sha256"]}
    return [ToolCall(tool="deploy.site", args=args)]


def _package(host: Host, service: Service, wanted: Deployment, read: Read) -> list[ToolCall]:
    package = wanted.package or wanted.content.name
    named = {"service": service.name, "package": package}
    version = read(ToolCall(tool="deploy.package_state", args=named))["version"] or ""
    if version == wanted.content.version:
        raise Refused(why=t("rollouts.same_version", server=host.server_id))
    back: dict[str, Any] = {}
    if version:
        known = wanted.find(wanted.content.name, version)
        if known is None:
            words = {"server": host.server_id, "package": package, "version": version}
            raise Refused(why=t("rollouts.unknown_previous", **words))
        back = {"previous_version": version, "previous_sha256": known.sha256}
        back["previous_size"] = known.size
    args = {**named, **wanted.content.arguments, "version": wanted.content.version, **back}
    return [ToolCall(tool="deploy.package", args=args)]


_LAYOUTS: dict[str, Callable[[Host, Service, Deployment, Read], list[ToolCall]]] = {
    "releases": _releases,
    "webapps": _war,
    "static": _site,
    "package": _package,
}


def _plan(
    host: Host, wanted: Deployment, actions: tuple[Action, ...], verify: tuple[Check, ...]
) -> Plan:
    content = wanted.content
    title = f"{content.name} {content.version}"
    because = t_default("rollouts.because", title=title, count=1)
    return Plan(
        server=host.server_id,
        category=Category.DEPLOY_SECURE,
        because=because,
        citation=Citation(
            document="artifact",
            title=title,
            version=1,
            sha256=content.sha256,
            passage=f"{content.file_name} {content.size}",
        ),
        actions=actions,
        verify=verify,
    )
