"""Propose services from facts; pure. A person accepts or edits them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from guardia.i18n import t
from guardia.org.directory import Service
from guardia.tools.enrolment.endpoint_facts import Answer, EndpointFindings
from guardia.tools.enrolment.products import (
    NOT_HTTP,
    PRODUCTS,
    Product,
    candidate_places,
    product_of,
)
from guardia.tools.enrolment.socket_facts import Process, Socket, SocketFindings, Unit
from guardia.tools.enrolment.system_facts import SystemFindings

_DEFAULT_START = 120
_MAX_START = 3600
_SYSTEM_UNITS = ("cron", "crond", "rsyslog", "chrony", "chronyd", "ntpd", "ntp")
_AUTH_LOGS = ("/var/log/auth.log", "/var/log/secure")
_ENCODINGS = {
    "utf8": "utf-8",
    "euckr": "euc-kr",
    "cp949": "cp949",
    "uhc": "cp949",
    "ms949": "cp949",
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A service that a person may accept, and a sentence of why it is proposed."""

    service: Service
    why: str


@dataclass(slots=True)
class _Group:
    """The processes of one installation of a product, and what belongs to them."""

    product: Product
    leader: Process
    processes: list[Process]
    sockets: list[Socket] = field(default_factory=list)

    @property
    def unit(self) -> str:
        return next((p.unit for p in self.processes if p.unit), "")

    @property
    def home(self) -> str | None:
        pattern = self.product.home
        found = pattern.search(self.leader.command) if pattern else None
        if found is None or ".." in found[1].split("/"):
            return None
        return found[1].rstrip("/") or None


def endpoints_to_ask(address: str, running: SocketFindings) -> tuple[str, ...]:
    """Return the ports that may answer to HTTP or TLS, as `address/port`."""
    groups = _groups(address, running, ())
    others = {id(s) for g in groups if g.product.kind != "http" for s in g.sockets}
    admin = {(id(s)) for g in groups for s in g.sockets if s.port in g.product.other_ports}
    web = {id(s) for g in groups if g.product.kind == "http" for s in g.sockets}
    usual = {port for product in PRODUCTS for port in product.ports}
    asked = [
        s
        for s in _own(address, running.sockets)
        if id(s) not in others | admin and s.port not in NOT_HTTP
    ]
    # Only some can be asked within the time: the likely ones first.
    asked.sort(key=lambda s: (id(s) not in web, s.port not in usual))
    return tuple(dict.fromkeys(f"{_reachable(s.address)}/{s.port}" for s in asked))


def places_to_look(running: SocketFindings) -> tuple[str, ...]:
    """Return the folders and files whose existence decides the proposals."""
    homes = [g.home for g in _groups("", running, ()) if g.home]
    own = [f"{home}/{part}" for home in homes for part in ("logs", "log", "conf", "webapps")]
    return (*candidate_places(), *own)


def propose(
    address: str, system: SystemFindings, running: SocketFindings, answering: EndpointFindings
) -> tuple[Proposal, ...]:
    """Return the services that the facts show; what is not shown is left out, not guessed."""
    proposals: list[Proposal] = []
    for group in _groups(address, running, answering.answers):
        proposals += _of_group(group, system, running, answering)
    proposals += _unknown_web(address, system, running, answering)
    proposals += _authentication(running, answering, system)
    proposals += _system_units(running, system)
    return tuple(_with_unique_names(proposals))


def propose_kind(proposals: Iterable[Proposal]) -> str:
    """Return the kind of a server with these services."""
    products = {p.service.product for p in proposals}
    kinds = {p.service.kind for p in proposals}
    if kinds & {"postgresql", "mysql", "oracle", "tibero", "cubrid"}:
        return "DB"
    if products & {"tomcat", "jeus", "weblogic", "java"}:
        return "WAS"
    return "WEB" if "http" in kinds else "WAS"


def encoding_of(system: SystemFindings) -> str:
    """Return the encoding of a server's logs as Python names it."""
    plain = re.sub(r"[^a-z0-9]", "", system.encoding.lower())
    return _ENCODINGS.get(plain, "utf-8")


def _own(address: str, sockets: Sequence[Socket]) -> list[Socket]:
    """Return the sockets of this server.

    A server at a loopback address shares its network with others: only what listens there is its.
    """
    if not address.startswith("127.") or address == "127.0.0.1":
        return list(sockets)
    return [s for s in sockets if s.address == address or (_is_any(s.address) and s.pid)]


def _is_any(address: str) -> bool:
    return address in ("0.0.0.0", "::", "*")


def _reachable(address: str) -> str:
    return "127.0.0.1" if _is_any(address) else address


def _groups(address: str, running: SocketFindings, answers: Sequence[Answer]) -> list[_Group]:
    """Return the installations of known products with their sockets."""
    known = {p.pid: found for p in running.processes if (found := product_of(p.command))}
    groups: list[_Group] = []
    for process in running.processes:
        product = known.get(process.pid)
        if product is None or known.get(process.parent) is product:
            continue
        members = [
            p
            for p in running.processes
            if known.get(p.pid) is product and process.pid in (p.pid, p.parent)
        ]
        same = next(
            (g for g in groups if g.product is product and g.unit and g.unit == process.unit), None
        )
        if same is not None:
            same.processes += members
        else:
            groups.append(_Group(product, process, members))
    sockets = _own(address, running.sockets) if address else running.sockets
    for socket in sockets:
        owner = _owner(socket, groups, answers)
        if owner is not None:
            owner.sockets.append(socket)
    return groups


def _owner(socket: Socket, groups: list[_Group], answers: Sequence[Answer]) -> _Group | None:
    """Return the installation to which a socket belongs, by the surest sign that there is."""
    if socket.pid is not None:
        return next((g for g in groups if any(p.pid == socket.pid for p in g.processes)), None)
    if socket.unit:
        return next((g for g in groups if g.unit == socket.unit), None)
    if socket.uid:
        same = [g for g in groups if any(p.uid == socket.uid for p in g.processes)]
        fitting = [g for g in same if socket.port in (*g.product.ports, *g.product.other_ports)]
        return fitting[0] if len(fitting) == 1 else same[0] if len(same) == 1 else None
    header = next(
        (
            a.server
            for a in answers
            if a.port == socket.port and a.address == _reachable(socket.address)
        ),
        "",
    )
    named = [g for g in groups if g.product.answers and header.startswith(g.product.answers)]
    if len(named) == 1:
        return named[0]
    by_port = [g for g in groups if g.leader.uid == 0 and socket.port in g.product.ports]
    return by_port[0] if not header and len(by_port) == 1 else None


def _of_group(
    group: _Group, system: SystemFindings, running: SocketFindings, answering: EndpointFindings
) -> Iterator[Proposal]:
    unit = next((u for u in running.units if u.name == group.unit), None)
    ports = _client_sockets(group)
    answers = [a for s in ports if (a := _answer(s, answering))]
    plain = next((a for a in answers if not a.tls), answers[0] if answers else None)
    socket = next((s for s in ports if plain and s.port == plain.port), ports[0] if ports else None)
    service = Service(
        name=_name(group.unit or group.product.name),
        kind=group.product.kind,
        product=group.product.name,
        unit=group.unit or None,
        address=_address(socket),
        port=socket.port if socket else None,
        control=None if group.unit else _script(group, running),
        health=plain.health or None if plain and group.product.kind == "http" else None,
        root=group.home,
        config=_config(group, answering),
        layout="webapps" if _has(answering.folders, group.home, "webapps") else None,
        encoding=encoding_of(system),
        start_seconds=_start_seconds(unit),
        **_logs(group, unit, running, answering),
    )
    yield Proposal(service, _why(group, socket, plain))
    for answer in answers:
        if answer.tls:
            yield _tls(service, answer, answering)


def _client_sockets(group: _Group) -> list[Socket]:
    """Return the sockets for clients, the most usual port first."""
    usual = {port: place for place, port in enumerate(group.product.ports)}
    found = [s for s in group.sockets if s.port not in group.product.other_ports]
    return sorted(found, key=lambda s: (usual.get(s.port, len(usual)), s.port, s.address))


def _answer(socket: Socket, answering: EndpointFindings) -> Answer | None:
    place = _reachable(socket.address)
    return next((a for a in answering.answers if (a.address, a.port) == (place, socket.port)), None)


def _tls(service: Service, answer: Answer, answering: EndpointFindings) -> Proposal:
    names = next((tuple(c.names) for c in answering.certificates if c.port == answer.port), ())
    found = service.model_copy(
        update={
            "name": f"{service.name}-tls"[:63],
            "kind": "tls",
            "port": answer.port,
            "health": answer.health or None,
            "tls_names": names,
        }
    )
    shown = ", ".join(names) or t("enrolment.why.no_names")
    return Proposal(found, t("enrolment.why.tls", port=answer.port, names=shown))


def _unknown_web(
    address: str, system: SystemFindings, running: SocketFindings, answering: EndpointFindings
) -> Iterator[Proposal]:
    """Propose what answers to HTTP but belongs to no known product."""
    taken = {
        (s.address, s.port)
        for group in _groups(address, running, answering.answers)
        for s in group.sockets
    }
    for socket in _own(address, running.sockets):
        answer = _answer(socket, answering)
        if answer is None or (socket.address, socket.port) in taken:
            continue
        process = next((p for p in running.processes if p.pid == socket.pid), None)
        unit = next((u for u in running.units if u.name == socket.unit), None)
        program = process.command.split()[0].rpartition("/")[2] if process else ""
        service = Service(
            name=_name(socket.unit or program or f"http-{socket.port}"),
            kind="tls" if answer.tls else "http",
            unit=socket.unit or None,
            address=_address(socket),
            port=socket.port,
            health=answer.health or None,
            journal=bool(unit and unit.journal),
            encoding=encoding_of(system),
            start_seconds=_start_seconds(unit),
        )
        words = {"port": socket.port, "status": answer.status}
        yield Proposal(service, t("enrolment.why.unknown", **words))


def _authentication(
    running: SocketFindings, answering: EndpointFindings, system: SystemFindings
) -> Iterator[Proposal]:
    unit = next((u for u in running.units if u.name in ("ssh.service", "sshd.service")), None)
    file = next((path for path in _AUTH_LOGS if path in answering.files), None)
    if unit is None and file is None:
        return
    service = Service(
        name="auth",
        kind="authlog",
        unit=unit.name if unit else None,
        log_files=(file,) if file else (),
        journal=bool(unit) and file is None,
        encoding=encoding_of(system),
    )
    yield Proposal(service, t("enrolment.why.auth", place=file or (unit.name if unit else "-")))


def _system_units(running: SocketFindings, system: SystemFindings) -> Iterator[Proposal]:
    for unit in running.units:
        if unit.name.removesuffix(".service") in _SYSTEM_UNITS:
            service = Service(
                name=_name(unit.name),
                kind="system",
                unit=unit.name,
                journal=unit.journal,
                encoding=encoding_of(system),
                start_seconds=_start_seconds(unit),
            )
            yield Proposal(service, t("enrolment.why.system", unit=unit.name))


def _logs(
    group: _Group, unit: Unit | None, running: SocketFindings, answering: EndpointFindings
) -> dict[str, object]:
    """Return the log source: files that the processes hold open, their folder, or the journal."""
    pids = {p.pid for p in group.processes}
    opened = tuple(dict.fromkeys(log.path for log in running.logs if log.pid in pids))
    home = group.home
    own = next(
        (f"{home}/{part}" for part in ("logs", "log") if _has(answering.folders, home, part)), None
    )
    folder = own or next((f for f in group.product.folders if f in answering.folders), None)
    inside = folder is not None and all(path.startswith(folder + "/") for path in opened)
    files = () if inside else opened
    known = tuple(path for path in group.product.files if path in answering.files)
    return {
        "logs": folder,
        "log_files": files or (() if folder else known),
        "journal": bool(unit and unit.journal),
    }


def _has(folders: Sequence[str], home: str | None, part: str) -> bool:
    return home is not None and f"{home}/{part}" in folders


def _config(group: _Group, answering: EndpointFindings) -> str | None:
    if _has(answering.folders, group.home, "conf"):
        return f"{group.home}/conf"
    return next((path for path in group.product.config if path in answering.folders), None)


def _script(group: _Group, running: SocketFindings) -> str | None:
    """Return the one control script that uses the product's folder, or one of the usual names."""
    below = f"{group.home}/"
    using = {m.script for m in running.mentions if group.home and m.path.startswith(below)}
    if len(using) == 1:
        return using.pop()
    names = {script.rpartition("/")[2]: script for script in reversed(running.scripts)}
    return next((names[n] for n in group.product.scripts if n in names), None)


def _address(socket: Socket | None) -> str | None:
    if socket is None or _is_any(socket.address):
        return None
    try:
        return str(ip_address(socket.address))
    except ValueError:
        return None


def _start_seconds(unit: Unit | None) -> int:
    return min(_MAX_START, max(_DEFAULT_START, unit.start_seconds if unit else 0))


def _why(group: _Group, socket: Socket | None, answer: Answer | None) -> str:
    process = t("enrolment.why.process", product=group.product.name, pid=group.leader.pid)
    unit = t("enrolment.why.unit", unit=group.unit) if group.unit else t("enrolment.why.no_unit")
    place = (
        t("enrolment.why.listens", address=socket.address, port=socket.port)
        if socket
        else t("enrolment.why.no_socket")
    )
    health = t("enrolment.why.health", path=answer.health) if answer and answer.health else ""
    return " ".join(part for part in (process, unit, place, health) if part)


def _name(text: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower().removesuffix(".service")).strip("-")
    return (plain or "service")[:55]


def _with_unique_names(proposals: Sequence[Proposal]) -> Iterator[Proposal]:
    seen: dict[str, int] = {}
    for proposal in proposals:
        name = proposal.service.name
        seen[name] = seen.get(name, 0) + 1
        if seen[name] == 1:
            yield proposal
            continue
        renamed = proposal.service.model_copy(update={"name": f"{name}-{seen[name]}"})
        yield Proposal(renamed, proposal.why)
