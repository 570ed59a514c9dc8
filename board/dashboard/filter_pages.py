"""The filters of cards in an address, and what their form offers."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from sqlalchemy import select

from guardia.board.core.context import BoardContext
from guardia.board.dashboard.cards import PERIODS, CardFilters
from guardia.board.issues.visibility import institution_scope
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution
from guardia.text import FOLDED

_MOST_CHOICES = 1000
_Word = Annotated[str, Query(max_length=60), FOLDED]


async def chosen_filters(
    days: Annotated[int, Query(ge=1, le=90)] = 30, institution: _Word = "", server: _Word = ""
) -> CardFilters:
    """Return the filters in the address; a period that is not offered becomes the next longer."""
    return CardFilters(next(n for n in PERIODS if n >= days), institution, server.upper())


Filters = Annotated[CardFilters, Depends(chosen_filters)]


def offered(board: BoardContext, person: PersonInfo) -> list[tuple[str, str]]:
    """Return the institutions that a filter may name; customers have one only."""
    if institution_scope(person) != "*":
        return []
    query = select(Institution.inst_id, Institution.inst_name).order_by(Institution.inst_name)
    with board.database.reading() as session:
        return [(row[0], row[1]) for row in session.execute(query.limit(_MOST_CHOICES))]
