"""Endpoints for the script of every page: how long the session lasts, and its extension.

An extension is an action like any other: it is not audited, as opening a page is not.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from fastapi import APIRouter, Depends

from guardia.board.core.context import BoardContext
from guardia.board.core.session_use import note_use
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import TIME_LEFT, CurrentVisitor, Visitor, require_visitor
from guardia.board.web.time_left import time_left

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])


@router.get(TIME_LEFT)
def show_time_left(board: BoardDep, visitor: CurrentVisitor) -> dict[str, Any]:
    """Return how long the session lasts; asking is no action."""
    return _answer(board, visitor)


@router.post("/session/extend")
def extend(board: BoardDep, visitor: CurrentVisitor) -> dict[str, Any]:
    """Begin the idle time again."""
    if visitor.session is None:
        return {}
    note_use(board, visitor.token)
    used = replace(visitor.session, used_at=board.current_time())
    return _answer(board, replace(visitor, session=used))


def _answer(board: BoardContext, visitor: Visitor) -> dict[str, Any]:
    left = time_left(board, visitor)
    return asdict(left) if left else {}
