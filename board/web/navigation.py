"""Where the pages' navigation leads: one line a place, shown to whoever has its right."""

from __future__ import annotations

from dataclasses import dataclass

from guardia.org.access import allowed
from guardia.org.directory import PersonName


@dataclass(frozen=True, slots=True)
class Place:
    """One entry; ``key`` names its text in the catalogue."""

    key: str
    path: str
    action: str
    """The right without which it is not shown."""
    style: str = ""


PLACES = (
    Place("web.nav.issues", "/issues", "issue.read"),
    Place("web.nav.new", "/issues/new", "issue.create"),
    Place("goals.page.title", "/goals", "goal.read"),
    Place("web.costs.title", "/costs", "costs.read"),
    Place("web.delegation.nav", "/delegations", "approval.answer"),
    Place("web.org.title", "/org", "org.read"),
    Place("web.runs.title", "/runs", "run.read"),
    Place("notes.page.title", "/agents", "agent.read"),
    Place("web.control.title", "/control", "plan.read", "stop"),
)


def places(person: PersonName) -> list[Place]:
    """What this person is shown, in order."""
    return [place for place in PLACES if allowed(person, place.action)]


def current(path: str) -> Place | None:
    """The place that a page belongs to: the one whose path is the longest beginning of its own."""
    under = [p for p in PLACES if path == p.path or path.startswith(p.path + "/")]
    return max(under, key=lambda p: len(p.path), default=None)
