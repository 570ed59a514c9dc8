"""The start page, its cards, and the number of things that wait."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Query, Request, Response

from guardia.board.audit import log
from guardia.board.core.context import BoardContext
from guardia.board.dashboard.cards import PERIODS
from guardia.board.dashboard.filter_pages import Filters, offered
from guardia.board.dashboard.registry import CARDS, allowed_cards, read_cards
from guardia.board.home import layouts
from guardia.board.home.inbox import read_inbox
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep, is_fragment
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.org.access import ROLES, is_allowed
from guardia.text import FOLDED, CleanStr

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])


@router.get("/")
def show(request: Request, board: BoardDep, visitor: CurrentVisitor, filters: Filters) -> Response:
    """Show the start page; only its parts for a live refresh."""
    person = visitor.person
    with board.database.reading() as session:
        position = log.snapshot_size(session)
    return render.page(
        request,
        "home/home_live.html" if is_fragment(request) else "home/home.html",
        visitor=visitor,
        inbox=read_inbox(board, person),
        cards=read_cards(board, person, layouts.cards_of(board, person), filters),
        filters=filters,
        periods=PERIODS,
        institutions=offered(board, person),
        position=position,
    )


@router.get("/inbox/count")
def count(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Return the number of things that wait, for the navigation of every page."""
    total = read_inbox(board, visitor.person).total
    return render.page(request, "home/count.html", visitor=visitor, total=total)


@router.get("/home/cards")
def edit(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    role: Annotated[str, Query(max_length=40), FOLDED] = "",
) -> Response:
    """Show the form with which a person, or an administrator for a role, chooses cards."""
    return _form(request, board, visitor, role)


@router.post("/home/cards")
def choose(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    card: Annotated[list[CleanStr] | None, Form()] = None,
    role: Annotated[str, Form(max_length=40), FOLDED] = "",
    act: Annotated[Literal["save", "reset"], Form()] = "save",
) -> Response:
    """Store the chosen cards, in the order in which the form names them."""
    chosen = None if act == "reset" else tuple(name for name in card or () if name)

    def store() -> None:
        if role:
            layouts.choose_for_role(board, visitor.person, role, chosen)
        else:
            layouts.choose_own(board, visitor.person, chosen)

    return actions.submit(
        request, store, on_success="/", on_refusal=partial(_form, request, board, visitor, role)
    )


def _form(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    role: str,
    *,
    status: int = 200,
    notice: str = "",
) -> Response:
    person = visitor.person
    may_set = is_allowed(person, "home.set_role")
    role = role if may_set else ""
    chosen = layouts.cards_of_role(board, role) if role else layouts.cards_of(board, person)
    known = [card.name for card in (CARDS if role else allowed_cards(person))]
    return render.page(
        request,
        "home/cards.html",
        status=status,
        visitor=visitor,
        names=[*chosen, *(name for name in known if name not in chosen)],
        chosen=set(chosen),
        role=role,
        roles=ROLES if may_set else (),
        notice=notice,
    )
