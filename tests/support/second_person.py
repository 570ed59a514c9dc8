"""A second person for tests that need rights: allows what waits, as a page would."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from board_env import OFFICER
from sqlalchemy import select

from guardia.board.accounts import right_decisions
from guardia.board.core.context import BoardContext
from guardia.board.rights.model import RightRequest
from guardia.errors import SecondPersonNeeded
from guardia.org.directory import PersonInfo

_Result = TypeVar("_Result")


def waiting_requests(board: BoardContext) -> list[int]:
    """Return the numbers of the requests of rights that wait."""
    with board.database.reading() as session:
        query = select(RightRequest.request_id).where(RightRequest.state == "WAITING")
        return list(session.scalars(query.order_by(RightRequest.request_id)))


def allow_waiting(board: BoardContext, decider: PersonInfo = OFFICER) -> None:
    """Allow every request that waits."""
    for number in waiting_requests(board):
        right_decisions.decide(board, decider, number, allow=True)


def with_second_person(
    board: BoardContext, act: Callable[[], _Result], decider: PersonInfo = OFFICER
) -> _Result:
    """Do what needs a second person: ask, have it allowed, and repeat it if that is needed."""
    try:
        result = act()
    except SecondPersonNeeded:
        allow_waiting(board, decider)
        return act()
    allow_waiting(board, decider)
    return result
