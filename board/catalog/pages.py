"""The page of the tools: what each does, on what, and where it was tried."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from guardia.board.core.planner import ToolEntry
from guardia.board.web import render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, require_visitor

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])


@router.get("/tools")
def show(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    family: Annotated[str, Query(pattern="^[a-z]{0,40}$")] = "",
) -> Response:
    """Show all tools, or those of one family."""
    found = board.planner.catalogue()
    shown = [one for one in found if family in ("", one.family)]
    return render.page(
        request,
        "catalog/tools.html",
        visitor=visitor,
        families=sorted({one.family for one in found}),
        family=family,
        groups=_by_family(shown),
        total=len(shown),
        changes=sum(one.risk != "READ" for one in shown),
    )


def _by_family(found: list[ToolEntry]) -> list[tuple[str, list[ToolEntry]]]:
    """Return the tools by family; a family's tools may be in several places of the catalogue."""
    in_order = sorted(found, key=lambda one: one.family)
    return [(name, list(tools)) for name, tools in groupby(in_order, lambda one: one.family)]
