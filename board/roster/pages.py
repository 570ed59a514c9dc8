"""Pages of the duty roster: who is on duty, responsible and away, and the forms that change it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from pydantic import TypeAdapter

from guardia.board.cmdb import responsibility_view
from guardia.board.cmdb.records import DAYS
from guardia.board.core.context import BoardContext
from guardia.board.roster import editing, fields, view
from guardia.board.roster.fields import FIELDS
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.org.access import require_permission
from guardia.text import FOLDED, CleanStr

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

PATH = "/roster"
_Kind = Annotated[fields.Kind, Path()]
_Word = Annotated[str, Query(max_length=300), FOLDED]
_Key = Annotated[str, Form(max_length=600), FOLDED]
_TEXTS = TypeAdapter(dict[CleanStr, CleanStr])


class _Entered(dict[str, str]):
    """The texts of a form, and the days of the week that are ticked."""

    days: tuple[str, ...] = ()


async def _entered(request: Request) -> _Entered:
    form = await request.form(max_fields=40)
    texts = {name: text[:600] for name, text in form.items() if isinstance(text, str)}
    found = _Entered(_TEXTS.validate_python(texts))
    found.days = tuple(day for day in DAYS if day in form.getlist("days"))
    return found


_Texts = Annotated[_Entered, Depends(_entered)]


@router.get(PATH)
def show(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show who is on duty now, the teams, the weekly roster, who is away, and the last changes."""
    return _page(request, board, visitor)


@router.get(f"{PATH}/list/{{kind}}")
def show_list(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    kind: _Kind,
    text: _Word = "",
    after: _Word = "",
) -> Response:
    """Show one page of people's skills, or of who is responsible for what."""
    read = {"owner": view.owners, "skill": view.skills}.get(kind)
    if read is None:
        return _page(request, board, visitor)
    rows, following = read(board, text=text, after=after)
    return render.page(
        request,
        "roster/roster_list.html",
        visitor=visitor,
        kind=kind,
        rows=rows,
        following=following,
        text=text,
        names=responsibility_view.names(board),
    )


@router.get(f"{PATH}/new/{{kind}}")
def new(
    request: Request, board: BoardDep, visitor: CurrentVisitor, kind: _Kind, duty: _Word = ""
) -> Response:
    """Show the form of a new entry."""
    require_permission(visitor.person, editing.EDIT)
    first = {"duty": duty} if kind == "duty_exception" else _FIRST.get(kind, {})
    return _form(request, board, visitor, kind, "", first)


_FIRST: dict[str, dict[str, Any]] = {
    "duty": {"field": "*", "days": list(DAYS), "begins": "18:00", "ends": "09:00"},
    "owner": {"duty": "primary", "proficiency": 3},
    "skill": {"proficiency": 3},
}


@router.post(f"{PATH}/new/{{kind}}")
def add(
    request: Request, board: BoardDep, visitor: CurrentVisitor, kind: _Kind, texts: _Texts
) -> Response:
    """Add an entry."""
    values = fields.entered(kind, texts, texts.days)

    def act() -> None:
        if kind == "absence":
            editing.add_absence(board, visitor.person, values)
        else:
            editing.add(board, visitor.person, kind, values)

    again = partial(_form, request, board, visitor, kind, "", values)
    return actions.submit_fields(request, act, on_success=_place(kind), on_refusal=again)


@router.get(f"{PATH}/edit/{{kind}}")
def edit(
    request: Request, board: BoardDep, visitor: CurrentVisitor, kind: _Kind, key: _Word
) -> Response:
    """Show the form of an entry."""
    require_permission(visitor.person, editing.EDIT)
    values = editing.find(board, kind, key)
    return _form(request, board, visitor, kind, key, values, seen=editing.version_of(values))


@router.post(f"{PATH}/edit/{{kind}}")
def save(
    request: Request, board: BoardDep, visitor: CurrentVisitor, kind: _Kind, texts: _Texts
) -> Response:
    """Change an entry."""
    values = fields.entered(kind, texts, texts.days)
    key, seen = texts.get("key", ""), texts.get("seen", "")
    again = partial(_form, request, board, visitor, kind, key, values, seen=seen)
    return actions.submit_fields(
        request,
        lambda: editing.change(board, visitor.person, kind, key, values, seen),
        on_success=_place(kind),
        on_refusal=again,
    )


@router.post(f"{PATH}/remove/{{kind}}")
def remove(
    request: Request, board: BoardDep, visitor: CurrentVisitor, kind: _Kind, key: _Key
) -> Response:
    """Remove an entry, or end an absence."""

    def act() -> None:
        if kind == "absence":
            editing.end_absence(board, visitor.person, int(key) if key.isdecimal() else 0)
        else:
            editing.remove(board, visitor.person, kind, key)

    again = partial(_page, request, board, visitor)
    return actions.submit(request, act, on_success=_place(kind), on_refusal=again)


@router.post(f"{PATH}/undo")
def undo(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Annotated[int, Form(ge=1, le=2**31 - 1)],
) -> Response:
    """Undo one change."""
    return actions.submit(
        request,
        lambda: editing.undo(board, visitor.person, number),
        on_success=f"{PATH}#changes-title",
        on_refusal=partial(_page, request, board, visitor),
    )


def _place(kind: str) -> str:
    return f"{PATH}/list/{kind}" if kind in ("skill", "owner") else PATH


def _page(
    request: Request, board: BoardContext, visitor: Visitor, *, status: int = 200, notice: str = ""
) -> Response:
    return render.page(
        request,
        "roster/roster.html",
        status=status,
        visitor=visitor,
        notice=notice,
        shifts=responsibility_view.on_duty(board),
        teams=view.records(board, "team"),
        duties=view.records(board, "duty"),
        exceptions=view.records(board, "duty_exception"),
        absences=responsibility_view.absences(board),
        changes=view.changes(board),
        names=responsibility_view.names(board),
    )


def _form(  # noqa: PLR0913 - what was entered and what was refused
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    kind: str,
    key: str,
    values: Mapping[str, Any],
    *,
    seen: str = "",
    status: int = 200,
    notice: str = "",
    field: str = "",
) -> Response:
    return render.page(
        request,
        "roster/roster_form.html",
        status=status,
        visitor=visitor,
        kind=kind,
        key=key,
        fields=FIELDS[kind],
        values=values,
        seen=seen,
        suggestions=view.suggestions(board, [one.suggests for one in FIELDS[kind]]),
        back=_place(kind),
        notice=notice,
        field=field,
    )
