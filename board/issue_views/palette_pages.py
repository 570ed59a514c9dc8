"""The command palette: a dialog on every page, and a page of its own without a script."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from guardia.board.issue_views.palette import find_entries
from guardia.board.web import navigation, render
from guardia.board.web.caller import BoardDep, is_fragment
from guardia.board.web.session import CurrentVisitor, require_visitor
from guardia.i18n import t
from guardia.text import CLEANED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])
_ORDER = ("issue", "page", "action", "view", "server", "person")


@router.get("/palette")
def show_palette(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    q: Annotated[str, Query(max_length=80), CLEANED] = "",
) -> Response:
    """Show what the words find; the dialog gets only the entries."""
    with render.use_visitor_language(request):
        places = navigation.visible_items(visitor.person)
        pages = [(t(place.key), place.path) for place in places]
        found = find_entries(board, visitor.person, q, pages)
    found.sort(key=lambda one: _ORDER.index(one.group))
    return render.page(
        request,
        "issue_views/palette_entries.html" if is_fragment(request) else "issue_views/palette.html",
        visitor=visitor,
        words=q,
        groups=[(name, list(entries)) for name, entries in groupby(found, lambda one: one.group)],
    )
