"""The page of the rules of conversation rooms: read, try, edit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from guardia.board.core.context import BoardContext
from guardia.board.intake import rule_editing, rule_trials
from guardia.board.intake.rule_trials import DryRunResult, TriedRule
from guardia.board.organization import chart as organization_chart
from guardia.board.web import actions, errors, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import GuardiaError
from guardia.org.chat_rules import ChatRules
from guardia.text import CLEANED, TRIMMED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

PATH = "/talk-rules"
_Section = Annotated[str, Form(max_length=60_000), CLEANED]
_Words = Annotated[str, Form(max_length=4000), TRIMMED]
_Revision = Annotated[int, Form(ge=0, le=2**63 - 1)]


@dataclass(frozen=True, slots=True)
class RuleTrial:
    """What the page shows of a trial."""

    results: list[DryRunResult] = field(default_factory=list)
    tried: list[TriedRule] = field(default_factory=list)
    lines: str = ""
    room: str = ""


@router.get(PATH)
def show(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show the rules in force and how often they would have fired in the last week."""
    _, chart = organization_chart.running(board)
    found = rule_trials.dry_run(board, chart.talk)
    return _page(request, board, visitor, trial=RuleTrial(found))


@router.post(f"{PATH}/trial")
def try_rules(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    *,
    section: _Section = "",
    lines: _Words = "",
    room: _Words = "",
) -> Response:
    """Try an edited section on given lines and on the talk of the last week; nothing changes."""
    try:
        talk: ChatRules = rule_editing.parse_section(board, section).talk
    except GuardiaError as error:
        with render.use_visitor_language(request):
            notice = errors.message_of(error)
        return _page(request, board, visitor, status=422, notice=notice, section=section)
    tried = rule_trials.try_lines(talk, room, lines.splitlines(), board.clock()) if lines else []
    shown = RuleTrial(rule_trials.dry_run(board, talk), tried, lines, room)
    return _page(request, board, visitor, section=section, trial=shown)


@router.post(PATH)
def apply(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    *,
    section: _Section = "",
    revision: _Revision = 0,
) -> Response:
    """Apply an edited section."""

    def refused(*, status: int, notice: str) -> Response:
        return _page(request, board, visitor, status=status, notice=notice, section=section)

    return actions.submit(
        request,
        lambda: rule_editing.apply_section(board, visitor.person, section, revision),
        on_success=PATH,
        on_refusal=refused,
    )


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    status: int = 200,
    notice: str = "",
    section: str | None = None,
    trial: RuleTrial | None = None,
) -> Response:
    revision, running = rule_editing.running_section(board)
    return render.page(
        request,
        "intake/talk_rules.html",
        status=status,
        visitor=visitor,
        notice=notice,
        trial=trial or RuleTrial(),
        section=running if section is None else section,
        is_edited=section is not None and section != running,
        revision=revision,
    )
