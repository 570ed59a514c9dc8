"""Pages of rules and facts that documents state: the list, one sentence, accept and refuse."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response

from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset
from guardia.board.knowledge import stated, stated_view
from guardia.board.site_rules import forms
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.form_texts import form_texts
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.i18n import t
from guardia.text import Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

Sentence = Annotated[int, Path(ge=1, le=2**63 - 1)]
_Cursor = Annotated[int | None, Query(ge=0, le=2**63 - 1)]
_PAGE = 30
_Texts = Annotated[dict[str, str], Depends(form_texts(40, 5000))]


@router.get("/documents/stated")
def show_list(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    state: Literal["PROPOSED", "ACCEPTED", "REFUSED"] = "PROPOSED",
    before: _Cursor = None,
    after: _Cursor = None,
) -> Response:
    """Show the rules and facts that documents state, and what was decided."""
    page = Keyset(before, after, _PAGE)
    listing = stated_view.list_stated(board, visitor.person, page, state)
    return render.page(
        request, "knowledge/stated.html", visitor=visitor, listing=listing, state=state
    )


@router.get("/documents/stated/{sentence_id}")
def show(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sentence_id: Sentence
) -> Response:
    """Show a sentence with the form of what it becomes."""
    return _page(request, board, visitor, sentence_id, None)


@router.post("/documents/stated/{sentence_id}/accept")
def accept(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sentence_id: Sentence,
    texts: _Texts,
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """Put a rule or a fact in force."""
    return actions.submit_fields(
        request,
        lambda: stated.accept(board, visitor.person, sentence_id, texts, reason),
        on_success=_place_of,
        on_refusal=partial(_page, request, board, visitor, sentence_id, texts),
    )


@router.post("/documents/stated/{sentence_id}/refuse")
def refuse(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sentence_id: Sentence,
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """Refuse a sentence for good."""
    return actions.submit_fields(
        request,
        lambda: stated.refuse(board, visitor.person, sentence_id, reason),
        on_success="/documents/stated",
        on_refusal=partial(_page, request, board, visitor, sentence_id, None),
    )


def _place_of(result: str) -> str:
    kind, _, name = result.partition(":")
    return f"/{kind}s/{name}"


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    sentence_id: int,
    texts: dict[str, str] | None,
    *,
    status: int = 200,
    notice: str = "",
    field: str = "",
) -> Response:
    one = stated_view.get_stated(board, visitor.person, sentence_id)
    words = {"number": one.document, "version": one.version, "passage": one.ordinal}
    given = {
        **one.fields,
        "name": f"document-{one.document}-{one.sentence_id}",
        "sentence": one.sentence,
        "reason": t("documents.stated.because", **words),
        **(texts or {}),
        "kind": one.kind,
    }
    is_rule = one.kind != "fact" and one.state == "PROPOSED"
    return render.page(
        request,
        "knowledge/stated_rule.html" if is_rule else "knowledge/stated_fact.html",
        status=status,
        visitor=visitor,
        one=one,
        form=given,
        action=f"/documents/stated/{one.sentence_id}/accept",
        back="/documents/stated",
        fields=forms.FIELDS_OF_KIND.get(one.kind, ()),
        errors={field: notice} if field else {},
        notice="" if field else notice,
    )
