"""Addresses of the lists of issues behind figures, in the words of the list's filters."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlencode

from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.dashboard.cards import CardFilters


def issues(filters: CardFilters, *words: str, institution: str = "") -> str:
    """Return the address of the issues that match the words and the filters of a card."""
    places = {"institution": institution or filters.institution, "server": filters.server}
    all_words = [*words, *(f"{name}:{value}" for name, value in places.items() if value)]
    return "/issues?" + urlencode({"state": "all", "q": " ".join(all_words)})


def open_issues(filters: CardFilters, *words: str, institution: str = "") -> str:
    """Return the address of those that are open."""
    found = issues(filters, *words, institution=institution)
    return found.replace("state=all", "state=open", 1)


def by_state(filters: CardFilters, state: State, institution: str = "") -> str:
    """Return the address of the issues in a state."""
    listed = open_issues if state in OPEN_STATES else issues
    return listed(filters, f"status:{state.value.lower()}", institution=institution)


def with_task(filters: CardFilters, *terms: str) -> str:
    """Return the address of the issues that have a task with all these properties."""
    chosen = [*terms, *([f"server={filters.server}"] if filters.server else [])]
    given = CardFilters(filters.days, filters.institution)
    return issues(given, "task:" + "+".join(chosen))


def on_day(name: str, day: date) -> str:
    """Return the word for a moment within a day."""
    return f"{name}:{day.isoformat()}"


def since(name: str, day: date) -> str:
    """Return the word for a moment from a day on."""
    return f"{name}:>={day.isoformat()}"
