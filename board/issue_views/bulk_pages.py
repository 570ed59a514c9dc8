"""Change many issues: choose them in the list, confirm their number, read each result."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from pydantic import Field
from sqlalchemy import select

from guardia.board.core.context import BoardContext
from guardia.board.issue_views import bulk_acts, saved_views
from guardia.board.issue_views.bulk_acts import BulkAct
from guardia.board.issues.model import Label
from guardia.board.tracker.issue_list import IssueQuery, States
from guardia.board.web import errors, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import UserError
from guardia.org.access import PERMISSIONS
from guardia.org.model import Person, Team
from guardia.text import CLEANED, FOLDED, Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

_MAX = 2**63 - 1
_SHOWN = 20
_MOST_PEOPLE = 500
Number = Annotated[int, Field(ge=1, le=_MAX)]
Numbers = Annotated[list[Number] | None, Form(max_length=bulk_acts.MOST + 1)]
Act = Annotated[str, Form(max_length=20), FOLDED]
Value = Annotated[str, Form(max_length=80), FOLDED]


@router.post("/issues/bulk")
def choose(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    act: Act = "",
    issue: Numbers = None,
    everything: Annotated[bool, Form()] = False,
    q: Annotated[str, Form(max_length=saved_views.MAX_WORDS), CLEANED] = "",
    state: Annotated[States, Form()] = "",
) -> Response:
    """Show what an act would change: the chosen issues, or all that the filter finds."""
    numbers = list(dict.fromkeys(issue or ()))
    if everything:
        numbers = bulk_acts.matching_numbers(board, visitor.person, IssueQuery(state, q))
    return _confirmation(request, board, visitor, BulkAct(act), numbers)


def _confirmation(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    act: BulkAct,
    numbers: list[int],
    *,
    status: int = 200,
    notice: str = "",
    field: str = "",
) -> Response:
    more, numbers = len(numbers) > bulk_acts.MOST, numbers[: bulk_acts.MOST]
    rows = bulk_acts.visible_rows(board, visitor.person, numbers)
    return render.page(
        request,
        "issue_views/bulk.html",
        status=status,
        visitor=visitor,
        act=act,
        acts=bulk_acts.offered(visitor.person),
        rows=rows,
        shown=rows[:_SHOWN],
        more=more,
        most=bulk_acts.MOST,
        priorities=bulk_acts.PRIORITIES,
        people=_assignees(board) if act.name == "assign" else (),
        labels=_labels(board) if act.name in ("label", "unlabel") else (),
        needs_reason=act.name in bulk_acts.IRREVERSIBLE,
        notice=notice,
        field=field,
    )


def _labels(board: BoardContext) -> list[tuple[int, str]]:
    """Return the labels by name."""
    with board.database.reading() as session:
        query = select(Label.label_id, Label.name).order_by(Label.name)
        return [(row[0], row[1]) for row in session.execute(query.limit(_MOST_PEOPLE))]


def _assignees(board: BoardContext) -> list[tuple[str, str]]:
    """Return the people and teams that an issue may be given to, by id."""
    roles = sorted(PERMISSIONS[bulk_acts.PERMISSION])
    people = select(Person.person_id, Person.name + " " + Person.title)
    people = people.where(Person.active, Person.role.in_(roles)).order_by(Person.name)
    teams = select(Team.team_id, Team.name).order_by(Team.name)
    with board.database.reading() as session:
        found = [*session.execute(people.limit(_MOST_PEOPLE)), *session.execute(teams.limit(100))]
        return [(row[0], row[1]) for row in found]


@router.post("/issues/bulk/run")
def carry_out(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    act: Act = "",
    value: Value = "",
    reason: Annotated[Reason, Form()] = "",
    issue: Numbers = None,
) -> Response:
    """Change the confirmed issues, and show the result of each."""
    wanted, numbers = BulkAct(act, value, reason), list(issue or ())
    try:
        bulk_acts.require_valid(visitor.person, wanted, numbers)
    except UserError as error:
        if not errors.wants_page(request):
            raise
        with render.use_visitor_language(request):
            notice = str(error.detail.get("why", "")) or errors.message_of(error)
        return _confirmation(
            request,
            board,
            visitor,
            wanted,
            numbers,
            status=errors.status_of(error),
            notice=notice,
            field=str(error.detail.get("field", "")),
        )
    result = bulk_acts.carry_out(board, visitor.person, wanted, numbers)
    return render.page(
        request, "issue_views/bulk_result.html", visitor=visitor, act=wanted, result=result
    )
