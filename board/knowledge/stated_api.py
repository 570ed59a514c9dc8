"""API of rules and facts that documents state."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from guardia.board.core.keyset import Keyset
from guardia.board.knowledge import stated, stated_view
from guardia.board.web.caller import BoardDep, Caller
from guardia.text import CleanStr, Reason

router = APIRouter(prefix="/api/v3/documents/stated", tags=["documents"])

_Sentence = Annotated[int, Path(ge=1, le=2**63 - 1)]


class StatedOut(BaseModel):
    """A rule or a fact that a document states."""

    sentence_id: int
    kind: str
    sentence: str
    fields: dict[str, str]
    state: str
    result: str
    reason: str
    document: int
    title: str
    version: int
    ordinal: int
    found_at: datetime
    decided_by: str
    decided_at: datetime | None


class AcceptIn(BaseModel):
    """The fields of a rule that were completed, and why; a fact needs none."""

    fields: dict[CleanStr, CleanStr] = Field(default={}, max_length=20)
    reason: Reason = ""


class RefuseIn(BaseModel):
    """Why a sentence is refused."""

    reason: Reason = ""


class AcceptedOut(BaseModel):
    """What a sentence has become, such as `rule:NAME` or `server:ID`."""

    result: str


@router.get("", summary="Rules and facts that published documents state, newest first")
def list_(
    board: BoardDep,
    caller: Caller,
    state: Literal["PROPOSED", "ACCEPTED", "REFUSED"] = "PROPOSED",
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[StatedOut]:
    """Return one page of what the caller may accept or refuse."""
    page = Keyset(before=before, size=limit)
    found = stated_view.list_stated(board, caller, page, state)
    return [StatedOut.model_validate(one, from_attributes=True) for one in found.rows]


@router.post("/{sentence_id}/accept", summary="Put a rule or a fact in force")
def accept(board: BoardDep, caller: Caller, sentence_id: _Sentence, given: AcceptIn) -> AcceptedOut:
    """Enter a rule or a fact; 422 if a field of the rule is missing, 409 if it was decided."""
    result = stated.accept(board, caller, sentence_id, given.fields, given.reason)
    return AcceptedOut(result=result)


@router.post("/{sentence_id}/refuse", summary="Refuse a sentence for good", status_code=204)
def refuse(board: BoardDep, caller: Caller, sentence_id: _Sentence, given: RefuseIn) -> None:
    """Refuse a sentence; 409 if it was decided."""
    stated.refuse(board, caller, sentence_id, given.reason)
