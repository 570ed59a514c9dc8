"""API of the change calendar: what is planned, and what a change would collide with."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from guardia.board.approvals import start_time
from guardia.board.change_calendar import view
from guardia.board.web.caller import BoardDep, Caller
from guardia.text import CleanStr

router = APIRouter(prefix="/api/v3/changes", tags=["changes"])

_Word = Annotated[CleanStr, Query(max_length=100)]


class EntryOut(BaseModel):
    """A planned change, rollout, maintenance window or freeze."""

    type: str
    key: str
    title: str
    place: str
    path: str
    begins: datetime | None
    ends: datetime | None
    status: str
    has_conflict: bool


class ConflictOut(BaseModel):
    """A change that another would collide with."""

    number: int
    title: str
    server: str
    begins: datetime | None
    relation: str


@router.get("", summary="Planned changes, windows and freezes")
def list_entries(
    board: BoardDep,
    caller: Caller,
    shape: Annotated[CleanStr, Query(alias="view", max_length=20)] = "agenda",
    day: _Word = "",
    institution: _Word = "",
    server: _Word = "",
) -> list[EntryOut]:
    """Return the entries of a month, a week or 30 days, each once."""
    page = view.read_page(board, caller, shape, day, institution, server)
    found = {entry.key: entry for one in page.days for entry in one.entries}
    found |= {entry.key: entry for entry in page.without_time}
    return [EntryOut.model_validate(one, from_attributes=True) for one in found.values()]


@router.get("/conflicts", summary="What a change of a server would collide with")
def list_conflicts(
    board: BoardDep,
    caller: Caller,
    server: Annotated[CleanStr, Query(max_length=100)],
    at: _Word = "",
) -> list[ConflictOut]:
    """Return the changes of the same and of dependent servers at that time."""
    found = view.conflicts(board, caller, server, start_time.read_start(board, at))
    return [
        ConflictOut(
            number=one.change.sr_id,
            title=one.change.title,
            server=one.change.server,
            begins=one.change.begins,
            relation=one.relation,
        )
        for one in found
    ]
