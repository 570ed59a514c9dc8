"""Pages of site rules: the list, one rule with its versions, and the forms that change it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response

from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.site_rules import changes, forms, view
from guardia.board.site_rules.terms import KINDS
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.form_texts import form_texts
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.org.access import require_permission
from guardia.text import FOLDED, Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

_Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
_Place = Annotated[str, Query(max_length=100), FOLDED]
_Word = Annotated[str, Query(max_length=64), FOLDED]
_Version = Annotated[int, Form(ge=1, le=2**31 - 1)]
_FormReason = Annotated[Reason, Form()]
_Texts = Annotated[dict[str, str], Depends(form_texts(40, 5000))]


@router.get("/rules")
def show_list(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    place: _Place = "",
    after: _Word = "",
) -> Response:
    """Show the rules in force and the proposals."""
    found = view.list_rules(board, visitor.person, place=place, after=after)
    return render.page(
        request, "site_rules/rules.html", visitor=visitor, found=found, place=place, kinds=KINDS
    )


@router.get("/rules/new")
def new_rule(request: Request, visitor: CurrentVisitor, kind: _Word = "") -> Response:
    """Show the form of a new rule of one kind."""
    require_permission(visitor.person, "rule.edit")
    return _form_page(request, visitor, {"kind": kind})


@router.post("/rules")
def add_rule(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    texts: _Texts,
    reason: _FormReason = "",
) -> Response:
    """Add a rule."""

    def act() -> str:
        rule = forms.parse_rule(texts, board.planner.reads())
        changes.add_rule(board, visitor.person, rule, reason)
        return f"/rules/{rule.name}"

    again = partial(_form_page, request, visitor, texts)
    return actions.submit_fields(request, act, on_success=str, on_refusal=again)


@router.get("/rules/{name}")
def show_rule(request: Request, board: BoardDep, visitor: CurrentVisitor, name: _Name) -> Response:
    """Show one rule with its versions."""
    return _rule_page(request, board, visitor, name)


@router.get("/rules/{name}/edit")
def edit_form(request: Request, board: BoardDep, visitor: CurrentVisitor, name: _Name) -> Response:
    """Show the form of a rule in force."""
    require_permission(visitor.person, "rule.edit")
    current = view.rule_history(board, visitor.person, name).current
    if current is None or current.rule is None:
        return _rule_page(request, board, visitor, name)
    texts = {**forms.fields_of(current.rule), "version": str(current.version)}
    return _form_page(request, visitor, texts)


@router.post("/rules/{name}/edit")
def edit_rule(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    name: _Name,
    texts: _Texts,
    version: _Version,
    reason: _FormReason = "",
) -> Response:
    """Replace the version that the form showed."""

    def act() -> object:
        rule = forms.parse_rule({**texts, "name": name}, board.planner.reads())
        return changes.edit_rule(board, visitor.person, rule, reason, version)

    again = partial(_form_page, request, visitor, {**texts, "name": name})
    return actions.submit_fields(request, act, on_success=f"/rules/{name}", on_refusal=again)


@router.post("/rules/{name}/remove")
def remove_rule(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    name: _Name,
    version: _Version,
    reason: _FormReason = "",
) -> Response:
    """Propose to remove the version that the page showed."""
    return actions.submit(
        request,
        lambda: changes.remove_rule(board, visitor.person, name, reason, version),
        on_success=f"/rules/{name}",
        on_refusal=partial(_rule_page, request, board, visitor, name),
    )


@router.post("/rules/{name}/decision")
def decide(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    name: _Name,
    version: _Version,
    verdict: Annotated[Literal["approve", "reject"], Form()],
    reason: _FormReason = "",
) -> Response:
    """Approve or reject the proposal that the page showed."""

    def act() -> object:
        approve = verdict == "approve"
        return changes.decide_proposal(
            board, visitor.person, name, version, approve=approve, reason=reason
        )

    again = partial(_rule_page, request, board, visitor, name)
    return actions.submit(request, act, on_success=f"/rules/{name}", on_refusal=again)


def _rule_page(
    request: Request, board: BoardContext, visitor: Visitor, name: str, **words: Any
) -> Response:
    found = view.rule_history(board, visitor.person, name)
    words = {"status": 200, "notice": "", **words}
    own = found.proposal is not None and found.proposal.author_id == str(Actor.of(visitor.person))
    return render.page(
        request, "site_rules/rule.html", visitor=visitor, found=found, is_own=own, **words
    )


def _form_page(
    request: Request,
    visitor: Visitor,
    texts: Mapping[str, str],
    *,
    status: int = 200,
    notice: str = "",
    field: str = "",
) -> Response:
    kind = texts.get("kind", "")
    if kind not in KINDS:  # as the empty form
        texts = {**texts, "kind": (kind := KINDS[0])}
    return render.page(
        request,
        "site_rules/rule_form.html",
        status=status,
        visitor=visitor,
        form=texts,
        kinds=KINDS,
        action="",
        back="",
        fields=forms.FIELDS_OF_KIND.get(kind, ()),
        errors={field: notice} if field else {},
        notice="" if field else notice,
    )
