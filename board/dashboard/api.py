"""API of the dashboard: the cards that a caller may see, and their figures as rows."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel

from guardia.board.dashboard.filter_pages import Filters
from guardia.board.dashboard.registry import allowed_cards, find_card
from guardia.board.web.caller import BoardDep, Caller
from guardia.i18n import t
from guardia.text import FOLDED

router = APIRouter(prefix="/api/v3/dashboard", tags=["dashboard"])


class CardOut(BaseModel):
    """A card."""

    name: str
    title: str
    filters: list[str]
    """The filters that it follows."""


class FiguresOut(CardOut):
    """The figures of a card, as its page shows them."""

    columns: list[str]
    rows: list[list[int | float | datetime | date | str | None]]


@router.get("")
def list_cards(person: Caller) -> list[CardOut]:
    """Return the cards that the caller may see."""
    return [
        CardOut(
            name=card.name, title=t(f"dashboard.{card.name}.title"), filters=sorted(card.filters)
        )
        for card in allowed_cards(person)
    ]


@router.get("/{name}", responses={404: {"description": "No such card for this person"}})
def read_figures(
    person: Caller,
    board: BoardDep,
    name: Annotated[str, Path(max_length=40), FOLDED],
    filters: Filters,
) -> FiguresOut:
    """Return the figures of a card."""
    card = find_card(person, name)
    found = card.table(card.read(board, person, filters), filters)
    return FiguresOut(
        name=name,
        title=t(f"dashboard.{name}.title"),
        filters=sorted(card.filters),
        columns=list(found.columns),
        rows=[list(row) for row in found.rows],
    )
