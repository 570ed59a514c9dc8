"""What a goal's own words say that it is about: the bounds of any plan for it. Pure.

Words that speak to the machine and quotations are not heard, so they widen nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from guardia.agents.brain.goals import plan
from guardia.agents.brain.goals.breakdown import divide
from guardia.agents.brain.triage.classify import relevant_text, triage
from guardia.agents.brain.triage.fanout import any_of_pattern
from guardia.agents.brain.triage.lexicon import lexicon
from guardia.org.directory import Directory


@dataclass(frozen=True, slots=True)
class GoalScope:
    """Where a goal's work may be."""

    directory: Directory
    """The institutions that it names, with their servers; all of them where it names none."""
    servers: frozenset[str]
    """Those that it plainly means: a plan without them would leave work out."""


def goal_scope(text: str, directory: Directory) -> GoalScope:
    """The institutions and servers that ``text``, which is untrusted, is about."""
    own = relevant_text(text)
    work = plan.resolve_pieces(
        divide(text), directory, lexicon().servers, None, lambda said: triage(said, directory)
    )
    servers = frozenset(s for found in work if not found.question for s in found.servers)
    named = {
        i.id
        for i in directory.institutions
        if re.search(any_of_pattern((i.name, *i.aliases, i.id)), own, re.IGNORECASE)
    }
    named |= {h.institution for h in directory.servers if h.server_id in servers}
    return GoalScope(_within(directory, named) if named else directory, servers)


def _within(directory: Directory, institutions: set[str]) -> Directory:
    return Directory(
        institutions=tuple(i for i in directory.institutions if i.id in institutions),
        servers=tuple(h for h in directory.servers if h.institution in institutions),
    )
