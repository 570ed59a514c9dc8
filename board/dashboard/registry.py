"""Registry of the dashboard cards."""

from __future__ import annotations

from collections.abc import Iterable

from guardia.board.core.context import BoardContext
from guardia.board.dashboard.agents_card import AgentsCard
from guardia.board.dashboard.approvals_card import ApprovalsCard
from guardia.board.dashboard.autonomy_card import AutonomyCard
from guardia.board.dashboard.cards import NO_FILTERS, Card, CardContent, CardFilters
from guardia.board.dashboard.documents_card import DocumentsCard
from guardia.board.dashboard.engineers_card import EngineersCard
from guardia.board.dashboard.failures_card import FailuresCard
from guardia.board.dashboard.hours_card import HoursCard
from guardia.board.dashboard.institutions_card import InstitutionsCard
from guardia.board.dashboard.integrity_card import IntegrityCard
from guardia.board.dashboard.requests_card import RequestsCard
from guardia.board.dashboard.servers_card import ServersCard
from guardia.board.dashboard.spending_card import SpendingCard
from guardia.board.dashboard.waiting_card import WaitingCard
from guardia.errors import NotFound
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo

CARDS: tuple[Card, ...] = (
    WaitingCard(),
    ApprovalsCard(),
    RequestsCard(),
    AutonomyCard(),
    EngineersCard(),
    InstitutionsCard(),
    ServersCard(),
    FailuresCard(),
    AgentsCard(),
    HoursCard(),
    SpendingCard(),
    DocumentsCard(),
    IntegrityCard(),
)
"""All cards, in the order in which pages show them."""


def allowed_cards(person: PersonInfo) -> list[Card]:
    """Return the cards that a person may see."""
    return [card for card in CARDS if is_allowed(person, card.permission)]


def find_card(person: PersonInfo, name: str) -> Card:
    """Return a card. Raises `NotFound` unless it exists for this person."""
    for card in allowed_cards(person):
        if card.name == name:
            return card
    raise NotFound(what=name)


def read_card(
    board: BoardContext, person: PersonInfo, card: Card, filters: CardFilters = NO_FILTERS
) -> CardContent:
    """Read one card."""
    chosen = {name for name in ("institution", "server") if getattr(filters, name)}
    unused = tuple(sorted(chosen - card.filters))
    return CardContent(card.name, card.template, card.read(board, person, filters), unused)


def read_cards(
    board: BoardContext,
    person: PersonInfo,
    names: Iterable[str],
    filters: CardFilters = NO_FILTERS,
) -> list[CardContent]:
    """Read the named cards that a person may see, in the order of their names."""
    known = {card.name: card for card in allowed_cards(person)}
    return [read_card(board, person, known[name], filters) for name in names if name in known]
