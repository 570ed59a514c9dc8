"""Promises of the card registry; one file and one line add a card."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from board_env import BoardEnv
from jinja2 import DictLoader
from page_env import IssueScenario, PageClient

import guardia.board
from guardia.board.core.context import BoardContext
from guardia.board.dashboard import registry
from guardia.board.dashboard.cards import ALL_FILTERS, Card, CardFilters, CardTable
from guardia.board.home import layouts
from guardia.board.web import render
from guardia.i18n import LANGUAGES, catalogue
from guardia.org.access import PERMISSIONS
from guardia.org.directory import PersonInfo

Browse = Callable[[str], PageClient]
BOARD = Path(next(iter(guardia.board.__path__)))


def broken_promises(cards: Sequence[Card]) -> list[str]:
    """Return every promise that a registered card breaks, as `card: promise`."""
    names = Counter(card.name for card in cards)
    broken = []
    for card in cards:
        feature, _, part = card.template.partition("/")
        promises = {
            "unique name": names[card.name] == 1,
            "existing permission": card.permission in PERMISSIONS,
            "template": (BOARD / feature / "templates" / "parts" / f"{part}.html").is_file(),
            "part named like the card": part == card.name,
            "known filters": card.filters <= ALL_FILTERS,
            "title in both languages": all(
                catalogue(code, "dashboard").get(card.name, {}).get("title") for code in LANGUAGES
            ),
        }
        broken += [f"{card.name}: {promise}" for promise, kept in promises.items() if not kept]
    return broken


def test_every_card_keeps_the_promises_of_the_registry() -> None:
    assert registry.CARDS
    assert broken_promises(registry.CARDS) == []


@dataclass
class ClockCard:
    """A card that is not registered; `readers` are the people for whom it was read."""

    name: str = "clock"
    permission: str = "hire.decide"
    template: str = "planted/clock"
    filters: frozenset[str] = frozenset()
    readers: list[str] = field(default_factory=list)

    def read(self, _board: BoardContext, person: PersonInfo, _filters: CardFilters) -> object:
        """Return a name that needs escaping."""
        self.readers.append(person.id)
        return f"<b>{person.name}</b>"

    def table(self, data: object, _filters: CardFilters) -> CardTable:
        """Return the name."""
        return CardTable(("name",), ((str(data),),))


def test_every_broken_promise_is_found() -> None:
    careless = ClockCard("clock", "clock.read", "planted/other", frozenset({"colour"}))
    assert broken_promises([careless, careless]) == 2 * [
        f"clock: {promise}"
        for promise in (
            "unique name",
            "existing permission",
            "template",
            "part named like the card",
            "known filters",
            "title in both languages",
        )
    ]


@pytest.mark.slow
def test_one_file_and_one_line_add_a_card(
    monkeypatch: pytest.MonkeyPatch, sign_in_as: Browse, web_env: BoardEnv
) -> None:
    clock = ClockCard()
    monkeypatch.setattr(registry, "CARDS", (*registry.CARDS, clock))
    planted = DictLoader({"parts/clock.html": "<p>{{ card }}</p>"})
    monkeypatch.setitem(render.environment().loader.mapping, "planted", planted)  # type: ignore[union-attr]
    for role in ("pm", "team_lead"):
        monkeypatch.setitem(layouts.SHIPPED, role, (clock.name,))
    page = sign_in_as("pm").get_page("/").text
    assert '<div id="part-clock" data-version="' in page
    assert "<p>&lt;b&gt;최현우&lt;/b&gt;</p>" in page
    live = sign_in_as("pm").get("/", headers={"hx-request": "true"}).text
    assert re.search(r'<div id="part-clock" data-version="\w+" hx-swap-oob="true">', live)
    # Without the permission it is neither shown nor read.
    assert "part-clock" not in sign_in_as("lead").get_page("/").text
    assert set(clock.readers) == {"pm"}


@pytest.mark.slow
def test_the_list_shows_the_approvals_that_wait(sign_in_as: Browse, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    link = f'href="/issues/{scenario.sr_id}" id="waiting-{scenario.sr_id}"'
    browser = sign_in_as("lead")
    page = browser.get_page("/issues").text
    live = browser.get("/issues", headers={"hx-request": "true"}).text
    assert page.count('id="part-waiting"') == live.count('id="part-waiting"') == 1
    assert link in page and link in live
    assert link not in sign_in_as("eng").get_page("/issues").text
    assert "part-waiting" not in sign_in_as("cus").get_page("/issues").text
