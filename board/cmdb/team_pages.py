"""The page of teams: who is responsible together; add, change, remove."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from guardia.board.cmdb import teams
from guardia.board.core.context import BoardContext
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.text import TRIMMED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

PATH = "/teams"
_Line = Annotated[str, Form(max_length=2000), TRIMMED]


@router.get(PATH)
def show(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show the teams."""
    return _page(request, board, visitor)


@router.post(PATH)
def save(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    *,
    team: _Line = "",
    name: _Line = "",
    members: _Line = "",
    lead: _Line = "",
    institution: _Line = "",
) -> Response:
    """Add a team or change it."""
    people = tuple(part for one in members.split(",") if (part := one.strip()))
    given: dict[str, object] = {"id": team, "name": name, "members": list(people), "lead": lead}
    given["institution"] = institution
    return actions.submit(
        request,
        lambda: teams.put(board, visitor.person, given),
        on_success=PATH,
        on_refusal=partial(_page, request, board, visitor, form=given),
    )


@router.post(f"{PATH}/remove")
def remove(
    request: Request, board: BoardDep, visitor: CurrentVisitor, team: _Line = ""
) -> Response:
    """Remove a team."""
    return actions.submit(
        request,
        lambda: teams.remove(board, visitor.person, team),
        on_success=PATH,
        on_refusal=partial(_page, request, board, visitor),
    )


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    form: dict[str, object] | None = None,
    status: int = 200,
    notice: str = "",
) -> Response:
    found = teams.all_teams(board)
    return render.page(
        request,
        "cmdb/teams.html",
        status=status,
        visitor=visitor,
        teams=found,
        known=[one.key for one in found],
        form={"id": "", "name": "", "members": [], "lead": "", "institution": ""} | (form or {}),
        notice=notice,
    )
