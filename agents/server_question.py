"""When a request needs a server that it does not name, and which servers it may mean. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from guardia.agents.brain.triage.classify import Triage
from guardia.board.assignment.question_words import ServerChoice
from guardia.org.directory import Host

_ON_SERVERS = frozenset({"DB", "WAS", "WEB", "STORAGE", "OS", "DEPLOY", "BACKUP"})
"""Categories of work on a server; an account or a network is none of one server."""
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
