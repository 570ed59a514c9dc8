"""Pages of the templates of papers: edit, check with a preview, apply, go back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response

from guardia.board.papers import choices, preview, revisions, template
from guardia.board.papers.paper import KINDS, Paper, PaperKind
from guardia.board.papers.vocabulary import LISTS, VALUES
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep, board_of
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.org.access import require_permission
from guardia.text import CLEANED, FOLDED, Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

PATH = "/papers/templates"
_MOST = 2**63 - 1
_MAX_TEXT = 100_000
_EDIT = "paper.edit"
Place = Annotated[str, Query(max_length=100), FOLDED]
PlaceField = Annotated[str, Form(max_length=100), FOLDED]


@dataclass(frozen=True, slots=True)
class _TemplateForm:
    """What was sent, to show it again."""

    text: str
    reason: str
    seen: int
    """Number of the newest version when the form was opened."""


@router.get(PATH)
def show(
    request: Request, board: BoardDep, visitor: CurrentVisitor, institution: Place = ""
) -> Response:
    """Show the templates in force, by kind of paper."""
    require_permission(visitor.person, _EDIT)
    return render.page(
        request,
        "papers/templates.html",
        visitor=visitor,
        found=[revisions.running(board, kind, institution) for kind in KINDS],
        institution=institution,
        institutions=choices.read_choices(board).institutions,
    )


@router.get(f"{PATH}/{{kind}}")
def edit(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    kind: PaperKind,
    institution: Place = "",
) -> Response:
    """Show a template to edit it."""
    require_permission(visitor.person, _EDIT)
    return _page(request, visitor, kind, institution)


@router.post(f"{PATH}/{{kind}}")
def change(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    kind: PaperKind,
    *,
    institution: PlaceField = "",
    act: Annotated[Literal["check", "apply", "reset"], Form()] = "check",
    text: Annotated[str, Form(max_length=_MAX_TEXT), CLEANED] = "",
    reason: Annotated[Reason, Form()] = "",
    seen: Annotated[int, Form(ge=0, le=_MOST)] = 0,
) -> Response:
    """Show a template as a paper, or put it in force, or end it."""
    require_permission(visitor.person, _EDIT)
    text = text.replace("\r\n", "\n")
    form = _TemplateForm(text, reason, seen)
    show_again = partial(_page, request, visitor, kind, institution, form=form)
    if act == "check":
        shown: Paper | None = None

        def check() -> None:
            nonlocal shown
            shown = preview.preview(template.parse(text, kind))

        answer = actions.submit_fields(request, check, on_success="", on_refusal=show_again)
        return answer if shown is None else show_again(paper=shown)

    def apply() -> int:
        new = "" if act == "reset" else text
        return revisions.apply(board, visitor.person, kind, institution, new, reason, seen)

    back = f"{PATH}/{kind}?institution={institution}"
    return actions.submit_fields(request, apply, on_success=back, on_refusal=show_again)


@router.post(f"{PATH}/versions/{{number}}")
def restore(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Annotated[int, Path(ge=1, le=_MOST)],
    kind: Annotated[PaperKind, Form()],
    institution: PlaceField = "",
) -> Response:
    """Put an earlier version in force again."""
    require_permission(visitor.person, _EDIT)
    return actions.submit_fields(
        request,
        lambda: revisions.rollback(board, visitor.person, number),
        on_success=f"{PATH}/{kind}?institution={institution}",
        on_refusal=partial(_page, request, visitor, kind, institution),
    )


def _page(
    request: Request,
    visitor: Visitor,
    kind: PaperKind,
    institution: str,
    *,
    form: _TemplateForm | None = None,
    paper: Paper | None = None,
    status: int = 200,
    notice: str = "",
    field: str = "",
) -> Response:
    board = board_of(request)
    found = revisions.running(board, kind, institution)
    history = revisions.history(board, kind, institution)
    newest = history[0].number if history else 0
    return render.page(
        request,
        "papers/template_edit.html",
        status=status,
        visitor=visitor,
        found=found,
        institution=institution,
        form=form or _TemplateForm(found.text, "", newest),
        history=history,
        paper=paper,
        values=sorted(VALUES[kind]),
        lists={name: sorted(columns) for name, columns in sorted(LISTS[kind].items())},
        notice="" if field else notice,
        errors={field: notice} if field else {},
    )
