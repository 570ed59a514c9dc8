"""When a request needs a server that it does not name, and which servers it may mean. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from guardia.agents.brain.triage.classify import Triage
from guardia.board.assignment.question_words import ServerChoice
from guardia.org.directory import Host

_ON_SERVERS = frozenset({"DB", "WAS", "WEB", "STORAGE", "OS", "DEPLOY", "BACKUP"})
"""Categories of work on a server; an account or a network is none of one server."""
_LAYERS = ("WEB", "WAS", "DB")
"""Kinds of servers; each needs those after it."""
_WORK = frozenset({"INCIDENT", "CHANGE"})


def needs_server(triage: Triage) -> bool:
    """Return whether a request is for work on a server, and names none."""
    if triage.servers or triage.category not in _ON_SERVERS:
        return False
    return triage.kind in _WORK or triage.action_type is not None


def possible_servers(triage: Triage, hosts: Sequence[Host]) -> list[Host]:
    """Return the servers of an institution that a request may mean: those of its kind if any."""
    kind = [host for host in hosts if host.kind == triage.category]
    return kind or list(hosts)


def certain_server(triage: Triage, hosts: Sequence[Host]) -> Host | None:
    """Return the server if the institution has a single one of the requested kind."""
    kind = [host for host in hosts if host.kind == triage.category]
    return kind[0] if len(kind) == 1 else None


def as_choices(hosts: Sequence[Host], limit: int) -> list[ServerChoice]:
    """Return servers as the choices of a question; none if they are too many for buttons."""
    if len(hosts) > limit:
        return []
    labels = [host.aliases[0] if host.aliases else host.server_id for host in hosts]
    return [
        ServerChoice(host.server_id, label if labels.count(label) == 1 else host.server_id)
        for host, label in zip(hosts, labels, strict=True)
    ]


def sole_servers_below(servers: Iterable[Host], server_id: str) -> tuple[str, ...]:
    """Return the servers of deeper layers that all of the server's institution need.

    Pages need applications, these need the database. Only if the institution has one server of a
    layer, all that is above needs that one.
    """
    known = list(servers)
    own = next((host for host in known if host.server_id == server_id), None)
    if own is None or own.kind not in _LAYERS:
        return ()
    found = []
    for kind in _LAYERS[_LAYERS.index(own.kind) + 1 :]:
        of_kind = [h.server_id for h in known if (h.institution, h.kind) == (own.institution, kind)]
        found += of_kind if len(of_kind) == 1 else []
    return tuple(found)
