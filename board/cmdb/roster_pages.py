"""The page with teams, the duty roster and absences."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from guardia.board.cmdb import entries, responsibility_view
from guardia.board.cmdb.records import KINDS, Record
from guardia.board.web import render
from guardia.board.web.session import BoardDep, CurrentVisitor, current_visitor

router = APIRouter(include_in_schema=False, dependencies=[Depends(current_visitor)])


@router.get("/roster")
def show(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show who is on duty now, the teams, the weekly roster and who is away."""
    found = entries.all_entries(board)
    return render.page(
        request,
        "cmdb/roster.html",
        visitor=visitor,
        shifts=responsibility_view.on_duty(board),
        teams=_records("team", found["team"]),
        duties=_records("duty", found["duty"]),
        exceptions=_records("duty_exception", found["duty_exception"]),
        absences=responsibility_view.absences(board),
        names=responsibility_view.names(board),
    )


def _records(kind: str, by_key: dict[str, dict[str, Any]]) -> list[Record]:
    """Return entries with all their fields in a fixed order."""
    return [KINDS[kind].model_validate(by_key[key]) for key in sorted(by_key)]
