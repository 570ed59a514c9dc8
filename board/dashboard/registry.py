"""Registry of the dashboard cards."""

from __future__ import annotations

from guardia.board.core.context import BoardContext
from guardia.board.dashboard.cards import Card, CardContent
from guardia.board.dashboard.waiting_card import WaitingCard
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo

CARDS: tuple[Card, ...] = (WaitingCard(),)
"""All cards, in the order in which pages show them."""


def read_cards(board: BoardContext, person: PersonInfo) -> list[CardContent]:
    """Read every card that a person may see."""
    return [
        CardContent(card.template, card.read(board, person))
        for card in CARDS
        if is_allowed(person, card.permission)
    ]
