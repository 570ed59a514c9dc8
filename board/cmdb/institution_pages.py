"""Pages of institutions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response

from guardia.board.cmdb import forms, institutions, server_list
from guardia.board.core.context import BoardContext
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.org.directory import InstitutionInfo
from guardia.text import FOLDED, TRIMMED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

_Word = Annotated[str, Query(max_length=100), FOLDED]
_Line = Annotated[str, Form(max_length=200), TRIMMED]
_Id = Annotated[str, Path(max_length=100), FOLDED]


@router.get("/institutions")
def show_list(
    request: Request, board: BoardDep, visitor: CurrentVisitor, text: _Word = "", after: _Word = ""
) -> Response:
    """Show one page of the institutions."""
    return _page(request, board, visitor, text=text, after=after)


@router.post("/institutions")
def add(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    institution: _Line = "",
    name: _Line = "",
    aliases: _Line = "",
) -> Response:
    """Register an institution."""
    given = InstitutionInfo(id=institution, name=name, aliases=forms.parse_aliases(aliases))
    return actions.submit(
        request,
        lambda: institutions.add(board, visitor.person, given),
        on_success="/institutions",
        on_refusal=partial(
            _page,
            request,
            board,
            visitor,
            form={"institution": institution, "name": name, "aliases": aliases},
        ),
    )


@router.post("/institutions/{institution}")
def edit(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    institution: _Id,
    name: _Line = "",
    aliases: _Line = "",
) -> Response:
    """Change an institution's names."""
    found = forms.parse_aliases(aliases)
    return actions.submit(
        request,
        lambda: institutions.edit(board, visitor.person, institution, name=name, aliases=found),
        on_success="/institutions",
        on_refusal=partial(
            _page,
            request,
            board,
            visitor,
            text=institution,
            edited={"institution": institution, "name": name, "aliases": aliases},
        ),
    )


@router.post("/institutions/{institution}/remove")
def remove(
    request: Request, board: BoardDep, visitor: CurrentVisitor, institution: _Id
) -> Response:
    """Remove an institution that nothing belongs to."""
    return actions.submit(
        request,
        lambda: institutions.remove(board, visitor.person, institution),
        on_success="/institutions",
        on_refusal=partial(_page, request, board, visitor),
    )


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    text: str = "",
    after: str = "",
    form: Mapping[str, str] | None = None,
    edited: Mapping[str, str] | None = None,
    status: int = 200,
    notice: str = "",
) -> Response:
    rows, following = server_list.institutions(
        board, visitor.person, text=text, after=after or None
    )
    return render.page(
        request,
        "cmdb/institutions.html",
        status=status,
        visitor=visitor,
        rows=rows,
        following=following,
        text=text,
        form=form or {},
        edited=edited or {},
        notice=notice,
    )
