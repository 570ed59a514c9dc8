"""Web pages of goals: list, form, plan and progress, and decisions on goals and hires."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response

from guardia.board.core import form_guard
from guardia.board.core.context import BoardContext
from guardia.board.core.form_guard import FormGuard
from guardia.board.goals import decisions, planning, view
from guardia.board.hiring import requests
from guardia.board.hiring import view as hiring_view
from guardia.board.web import actions, forms, render
from guardia.board.web.caller import BoardDep, is_fragment
from guardia.board.web.form_guard import Guard
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.org.access import require_permission
from guardia.text import CLEANED, CleanStr, Reason, Title

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

_MAX = 2**63 - 1
_NEW = "goals/goal_new.html"
Number = Annotated[int, Path(ge=1, le=_MAX)]
_Reason = Annotated[Reason, Form()]


@router.get("/goals")
def list_goals(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    *,
    closed: bool = False,
    before: Annotated[int | None, Query(ge=0, le=_MAX)] = None,
) -> Response:
    """Show the list and the pending hires; a live refresh gets only the changing part."""
    live = is_fragment(request)
    template = "goals/goals_live.html" if live else "goals/goals.html"
    return _list(request, board, visitor, template, closed=closed, before=before)


def _list(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    template: str = "goals/goals.html",
    *,
    closed: bool = False,
    before: int | None = None,
    status: int = 200,
    notice: str = "",
) -> Response:
    asked = request.url.query if request.method == "GET" else ""
    return render.page(
        request,
        template,
        status=status,
        visitor=visitor,
        listing=view.list_goals(board, visitor.person, closed=closed, before=before),
        hires=hiring_view.pending_hires(board, visitor.person),
        closed=closed,
        address=f"/goals?{asked}" if asked else "/goals",
        notice=notice,
    )


@router.get("/goals/new")
def new_goal_form(request: Request, visitor: CurrentVisitor) -> Response:
    """Show the form for a new goal."""
    return _goal_form(request, visitor)


@router.post("/goals")
def create_goal(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    title: Annotated[Title, Form()] = "",
    body: Annotated[str, Form(max_length=10_000), CLEANED] = "",
    ticket: Annotated[str, Form(max_length=64), CLEANED] = "",
) -> Response:
    """Give the head agent a goal."""
    words = {"title": title, "ticket": ticket}
    return actions.submit(
        request,
        lambda: planning.create_goal(board, visitor.person, body, channel="web", **words),
        on_success=_path,
        on_refusal=partial(_goal_form, request, visitor, body=body, **words),
    )


def _goal_form(request: Request, visitor: Visitor, **written: Any) -> Response:
    require_permission(visitor.person, "goal.give")
    return forms.render_form(request, _NEW, visitor, **written)


def _path(sr_id: int | None) -> str:
    return f"/goals/{sr_id}" if sr_id else "/goals"


@router.get("/goals/{sr_id}")
def show_goal(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number, guard: Guard
) -> Response:
    """Show a goal's page."""
    return _page(request, board, visitor, sr_id, guard=guard)


@router.get("/goals/{sr_id}/live")
def refresh_goal(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number, guard: Guard
) -> Response:
    """Show the changing parts of a goal's page, with its forms as they were opened."""
    found = view.get_goal(board, visitor.person, sr_id, guard)
    return render.page(request, "goals/goal_live.html", visitor=visitor, goal=found, guard=guard)


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    sr_id: int,
    *,
    guard: FormGuard | None = None,
    status: int = 200,
    notice: str = "",
) -> Response:
    guard = guard or FormGuard({})
    return render.page(
        request,
        "goals/goal.html",
        status=status,
        visitor=visitor,
        goal=view.get_goal(board, visitor.person, sr_id, guard),
        guard=guard,
        notice=notice,
    )


def _parse_choice(text: str) -> tuple[int, str]:
    """Return the ordinal of a part and the server that a person chose for it: "2:MOF-DB-01"."""
    ordinal, _, server = text.partition(":")
    return (int(ordinal) if re.fullmatch("[0-9]{1,8}", ordinal) else -1), server


@dataclass(frozen=True, slots=True)
class _PartChoices:
    """The ticked parts of a goal's plan, and the servers chosen for guessed parts."""

    kept: frozenset[int]
    servers: dict[int, str]


def _part_choices(
    keep: Annotated[list[int], Form()] = [],  # noqa: B006 - FastAPI makes a new one
    server: Annotated[list[CleanStr], Form()] = [],  # noqa: B006
) -> _PartChoices:
    return _PartChoices(frozenset(keep), dict(map(_parse_choice, server)))


@router.post("/goals/{sr_id}/decision")
def decide_goal(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    verb: Annotated[Literal["approve", "achieve", "drop"], Form()],
    parts: Annotated[_PartChoices, Depends(_part_choices)],
    plan_hash: Annotated[str, Form(max_length=128), CLEANED] = "",
    seen: Annotated[str, Form(max_length=20), CLEANED] = "",
    reason: _Reason = "",
) -> Response:
    """Approve the marked parts of the plan that the form showed, or end the goal."""
    person = visitor.person

    def act() -> object:
        if verb == "approve":
            return decisions.approve(
                board,
                person,
                sr_id,
                plan_hash=plan_hash,
                kept=parts.kept,
                servers=parts.servers,
            )
        end = decisions.achieve if verb == "achieve" else decisions.drop
        return end(board, person, sr_id, reason, seen=seen)

    guard = form_guard.opened_with(view.PLAN_FORM, plan_hash) if plan_hash else None
    return _submit(request, board, visitor, sr_id, act, guard)


@router.post("/goals/{sr_id}/answers")
def answer(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    piece: Annotated[list[int], Form()] = [],  # noqa: B006
    words: Annotated[list[CleanStr], Form()] = [],  # noqa: B006
    seen: Annotated[int | None, Form(ge=0, le=_MAX)] = None,
) -> Response:
    """Reword the unclear pieces; the agent then plans again."""
    answers = dict(zip(piece, words, strict=False))

    return _submit(
        request,
        board,
        visitor,
        sr_id,
        lambda: decisions.answer(board, visitor.person, sr_id, answers, seen=seen),
    )


@router.post("/hires/{hire_id}")
def decide_hire(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    hire_id: Number,
    decision: Annotated[Literal["approve", "reject"], Form()],
    reason: _Reason = "",
) -> Response:
    """Approve or reject an agent's hire request."""

    def act() -> None:
        if decision == "approve":
            requests.approve(board, visitor.person, hire_id)
        else:
            requests.reject(board, visitor.person, hire_id, reason)

    return actions.submit(
        request,
        act,
        on_success=lambda _: _path(hiring_view.goal_of(board, hire_id)),
        on_refusal=partial(_list, request, board, visitor),
    )


def _submit(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    sr_id: int,
    act: Callable[[], object],
    guard: FormGuard | None = None,
) -> Response:
    again = partial(_page, request, board, visitor, sr_id, guard=guard)
    return actions.submit(request, act, on_success=_path(sr_id), on_refusal=again)
