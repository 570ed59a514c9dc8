"""Scope of a goal as stated in its own words; it limits any plan for the goal. Pure.

Words that address the machine and quotations are ignored, so they widen nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from guardia.agents.brain.goals import plan
from guardia.agents.brain.goals.breakdown import divide
from guardia.agents.brain.triage.classify import relevant_text, triage
from guardia.agents.brain.triage.lexicon import lexicon
from guardia.agents.brain.triage.names import index_of
from guardia.org.directory import Directory, Host


@dataclass(frozen=True, slots=True)
class GoalScope:
    """Where a goal's work may be."""

    directory: Directory
    """The institutions that it names, with their servers; all if it names none."""
    servers: frozenset[str]
    """Servers that it clearly means: a plan without them would omit work."""
    offered: tuple[Host, ...]
    """Servers of the institutions that it names, those that it means first; nothing else can be
    chosen for a part that names no server."""


def goal_scope(text: str, directory: Directory) -> GoalScope:
    """Return the institutions and servers that the untrusted `text` is about."""
    own = relevant_text(text)
    work = plan.resolve_pieces(
        divide(text), directory, lexicon().servers, None, lambda piece: triage(piece, directory)
    )
    servers = frozenset(s for found in work if not found.question for s in found.servers)
    index = index_of(directory)
    named = index.institutions_in(own) | {index.hosts[s].institution for s in servers}
    within = _within(directory, named) if named else directory
    offered = {s: index.hosts[s] for s in sorted(servers)}
    if named:
        offered |= {h.server_id: h for h in within.servers}
    return GoalScope(within, servers, tuple(offered.values()))


def _within(directory: Directory, institutions: set[str]) -> Directory:
    index, ordered = index_of(directory), sorted(institutions)
    return Directory(
        institutions=tuple(index.institutions[i] for i in ordered if i in index.institutions),
        servers=tuple(h for i in ordered for h in index.by_institution.get(i, ())),
    )
