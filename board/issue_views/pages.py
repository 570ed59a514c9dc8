"""The page of the issue list: filter with completion, tabs, views, columns; status board."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from guardia.board.core.context import BoardContext
from guardia.board.dashboard.registry import read_cards
from guardia.board.issue_views import bulk_acts, saved_views, status_board
from guardia.board.issue_views.columns import COLUMNS, SHIPPED, SORTED_BY, chosen_columns
from guardia.board.issue_views.filter_form import FilterForm, choices
from guardia.board.issue_views.list_address import ListAddress, saved_words
from guardia.board.issue_views.saved_views import SavedView
from guardia.board.service_levels.view import clocks_of
from guardia.board.tracker import issue_list
from guardia.board.tracker.filter_completion import complete
from guardia.board.tracker.filter_terms import FilterProblem
from guardia.board.tracker.filter_values import value_label
from guardia.board.tracker.issue_list import IssueQuery, States
from guardia.board.web import render
from guardia.board.web.caller import BoardDep, is_fragment
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.i18n import t
from guardia.org.directory import PersonInfo
from guardia.text import CLEANED, CleanStr

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

_MAX = 2**63 - 1
_CURSOR = r"^(?:[^~\n]{0,80}~)?[0-9]{1,18}$"
Words = Annotated[str, Query(max_length=saved_views.MAX_WORDS), CLEANED]
Cursor = Annotated[str | None, Query(pattern=_CURSOR)]
ViewId = Annotated[int | None, Query(ge=1, le=_MAX)]


def read_address(
    board: BoardDep,
    visitor: CurrentVisitor,
    state: States = "",
    q: Annotated[Words | None, Query()] = None,
    view: ViewId = None,
    columns: Annotated[str, Query(max_length=400), CLEANED] = "",
    col: Annotated[list[CleanStr] | None, Query(max_length=40)] = None,
) -> ListAddress:
    """Return what the address names; filter and columns of a view unless it names others."""
    saved = saved_views.get_view(board, visitor.person, view) if view else None
    names = [*(col or ()), *columns.split(",")]
    known = chosen_columns(names)
    return ListAddress(
        words=q if q is not None else saved.words if saved else "",
        state=state,
        view=view,
        columns=saved.columns if saved and not any(names) else known,
    )


Address = Annotated[ListAddress, Depends(read_address)]


@router.get("/issues")
def list_issues(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    address: Address,
    before: Cursor = None,
    after: Cursor = None,
) -> Response:
    """Show the list; a live refresh gets only the changing part."""
    if not request.url.query and (default := saved_views.default_view(board, visitor.person)):
        return RedirectResponse(f"/issues?view={default}", status_code=303)
    query = IssueQuery(address.state, address.words, before, after)
    found = issue_list.list_issues(board, visitor.person, query)
    fragment = is_fragment(request)
    return render.page(
        request,
        "issue_views/issues_live.html" if fragment else "issue_views/issues.html",
        status=422 if found.problems else 200,
        visitor=visitor,
        listing=found,
        # Read after the list: a change in between is later than its position and is fetched next.
        cards=read_cards(board, visitor.person, ("waiting",)),
        query=query,
        address=address,
        columns=address.columns,
        refresh=f"/issues?{request.url.query}" if request.url.query else "/issues",
        clocks=clocks_of(board, visitor.person, [row.sr_id for row in found.rows])
        if "left" in address.columns
        else {},
        bulk=bulk_acts.offered(visitor.person),
        sorted_by=SORTED_BY,
        **({} if fragment else _frame(request, board, visitor, address, query, found)),
    )


def _frame(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    address: ListAddress,
    query: IssueQuery,
    found: issue_list.IssueList,
) -> dict[str, Any]:
    """Return what only the whole page shows."""
    views = saved_views.views_of(board, visitor.person)
    with render.use_visitor_language(request):
        problems = [problem_text(one) for one in found.problems]
    return {
        "views": views,
        "current": next((one for one in views if one.view_id == address.view), None),
        "problems": problems,
        "problem_words": [one.written for one in found.problems],
        "all_columns": COLUMNS,
        "shipped": SHIPPED,
        "choices": choices(board, visitor.person),
        "value_label": value_label,
        "saved_words": saved_words(query, found.state),
        "counts": _tab_counts(board, visitor.person, address),
    }


def problem_text(problem: FilterProblem) -> str:
    """Return the sentence that says what to write instead of a term."""
    return t(f"issues.problem.{problem.name}", written=problem.written, **problem.words)


def _tab_counts(
    board: BoardContext, person: PersonInfo, address: ListAddress
) -> dict[str, issue_list.Count | None]:
    """Return the numbers of open and closed issues that the words find."""
    now = board.clock()
    with board.database.reading() as session:
        return {
            state: issue_list.count_issues(
                session, person, IssueQuery(state, address.plain_words), now
            )
            for state in _TABS
        }


_TABS: tuple[States, ...] = ("open", "closed")


@router.get("/issues/filter")
def add_condition(address: Address, form: Annotated[FilterForm, Query()]) -> Response:
    """Add the chosen conditions to the filter: the way without a script."""
    words = form.added_to(address.words)
    return RedirectResponse(
        str(ListAddress(words, address.state, address.view, address.columns)), 303
    )


@router.get("/issues/complete")
def complete_filter(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    q: Words = "",
    at: Annotated[int, Query(ge=0, le=saved_views.MAX_WORDS)] = 0,
) -> Response:
    """Return what can be written at the cursor."""
    with render.use_visitor_language(request):
        found = complete(board, visitor.person, q, at)
    return JSONResponse([asdict(one) for one in found])


@router.get("/issues/counts")
def count_views(
    request: Request, board: BoardDep, visitor: CurrentVisitor, view: ViewId = None
) -> Response:
    """Show the views again, with the number of issues in each."""
    views = saved_views.views_of(board, visitor.person)
    return render.page(
        request,
        "issue_views/views.html",
        visitor=visitor,
        views=views,
        current_id=view,
        numbers=_view_counts(board, visitor.person, views),
    )


def _view_counts(
    board: BoardContext, person: PersonInfo, views: tuple[SavedView, ...]
) -> dict[int, issue_list.Count | None]:
    now, counted = board.clock(), {}
    with board.database.reading() as session:
        for view in views:
            query = IssueQuery("", view.words)
            counted[view.view_id] = issue_list.count_issues(session, person, query, now, 1_000)
    return counted


@router.get("/issues/board")
def show_board(
    request: Request, board: BoardDep, visitor: CurrentVisitor, address: Address
) -> Response:
    """Show the issues of a filter by their state."""
    found = status_board.read_board(board, visitor.person, address.plain_words)
    with render.use_visitor_language(request):
        problems = [problem_text(one) for one in found.problems]
    return render.page(
        request,
        "issue_views/status_board.html",
        status=422 if problems else 200,
        visitor=visitor,
        found=found,
        address=address,
        problems=problems,
        choices=choices(board, visitor.person),
        value_label=value_label,
        query=IssueQuery(address.state, address.words),
    )
