"""Pages of the remote console: the list, a new run, one run with its live servers, its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter

from guardia.board.cmdb import server_list
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset
from guardia.board.remote_console import changes, export, forms, records, runs, targets, view
from guardia.board.remote_console.policy import (
    OPEN_RUNS,
    STOPPABLE,
    RunKind,
    RunState,
    TargetState,
)
from guardia.board.remote_console.targets import RunLimits
from guardia.board.runs.worker_view import has_worker
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import Invalid, NotFound
from guardia.i18n import language, t
from guardia.org.access import is_allowed
from guardia.text import CleanStr, Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
Cursor = Annotated[int | None, Query(ge=0, le=2**63 - 1)]
State = Annotated[TargetState | None, Query()]
_KINDS = ("WEB", "WAS", "DB", "SECURITY")
_INLINE = 6
"""Servers up to which the page of a run shows all outputs."""
_TEXTS = TypeAdapter(dict[str, CleanStr])
_LONGEST = 2000


async def _form_texts(request: Request) -> dict[str, str]:
    form = await request.form(max_fields=64)
    texts = {name: str(text)[:_LONGEST] for name, text in form.items() if isinstance(text, str)}
    return _TEXTS.validate_python(texts)


def _query_texts(request: Request) -> dict[str, str]:
    texts = {name: text[:_LONGEST] for name, text in request.query_params.items()}
    return _TEXTS.validate_python(texts)


FormTexts = Annotated[dict[str, str], Depends(_form_texts)]
QueryTexts = Annotated[dict[str, str], Depends(_query_texts)]


@router.get("/remote")
def index(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    before: Cursor = None,
    after: Cursor = None,
) -> Response:
    """Show one page of runs, newest first."""
    listing = view.list_runs(board, visitor.person, Keyset(before, after))
    return render.page(request, "remote_console/runs.html", visitor=visitor, listing=listing)


@router.get("/remote/new")
def new(request: Request, board: BoardDep, visitor: CurrentVisitor, given: QueryTexts) -> Response:
    """Show the form of a run with the servers that its filter finds."""
    records.require_runner(visitor.person)
    return _new_page(request, board, visitor, given)


@router.post("/remote")
def start(request: Request, board: BoardDep, visitor: CurrentVisitor, given: FormTexts) -> Response:
    """Start a read, or draft a change."""
    records.require_runner(visitor.person)
    limits = _limits(request)
    return actions.submit_fields(
        request,
        lambda: runs.start(board, visitor.person, forms.read_request(given), limits),
        on_success=_path,
        on_refusal=lambda **words: _new_page(request, board, visitor, given, **words),
    )


@router.get("/remote/{number}")
def show(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    *,
    state: State = None,
    after: Cursor = None,
    before: Cursor = None,
) -> Response:
    """Show a run with a page of its servers."""
    return _run_page(request, board, visitor, number, _Shown(state, after, before))


@router.get("/remote/{number}/live")
def live(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    *,
    state: State = None,
    after: Cursor = None,
    before: Cursor = None,
) -> Response:
    """Return the parts of a run that change while it runs."""
    words = _run_words(board, visitor, number, _Shown(state, after, before))
    return render.page(request, "remote_console/run_live.html", visitor=visitor, **words)


@router.get("/remote/{number}/servers/{ordinal}")
def show_server(
    request: Request, board: BoardDep, visitor: CurrentVisitor, number: Number, ordinal: Number
) -> Response:
    """Show one server of a run with its output."""
    words = _server_words(board, visitor, number, ordinal)
    return render.page(request, "remote_console/server.html", visitor=visitor, **words)


@router.get("/remote/{number}/servers/{ordinal}/live")
def live_server(
    request: Request, board: BoardDep, visitor: CurrentVisitor, number: Number, ordinal: Number
) -> Response:
    """Return the output of one server as it is now."""
    words = _server_words(board, visitor, number, ordinal)
    return render.page(request, "remote_console/server_live.html", visitor=visitor, **words)


@router.get("/remote/{number}/export")
def download(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    form: Annotated[Literal["csv", "txt"], Query(alias="format")] = "csv",
) -> Response:
    """Return a run as a file."""
    run = view.get_run(board, visitor.person, number)
    with render.use_visitor_language(request):
        spoken = language.get()
    rows = view.every_target(board, number)
    lines = export.as_csv(rows) if form == "csv" else export.as_text(run, rows)
    media = {"csv": "text/csv; charset=utf-8", "txt": "text/plain; charset=utf-8"}[form]
    headers = {"Content-Disposition": f'attachment; filename="remote-{number}.{form}"'}
    return StreamingResponse(_spoken(lines, spoken), media_type=media, headers=headers)


@router.post("/remote/{number}/confirm")
def confirm(
    request: Request, board: BoardDep, visitor: CurrentVisitor, number: Number, given: FormTexts
) -> Response:
    """File a drafted change for its approvals."""

    def act() -> int:
        if given.get("seen") != "yes":
            raise Invalid(what=t("remote.confirm"), why=t("remote.confirm_first"))
        return changes.confirm(board, visitor.person, number)

    return _submit(request, board, visitor, number, act)


@router.post("/remote/{number}/again")
def again(request: Request, board: BoardDep, visitor: CurrentVisitor, number: Number) -> Response:
    """Run the servers again that did not succeed."""
    limits = _limits(request)
    return actions.submit(
        request,
        lambda: runs.again(board, visitor.person, number, limits),
        on_success=_path,
        on_refusal=lambda **words: _run_page(request, board, visitor, number, _Shown(), **words),
    )


@router.post("/remote/{number}/stop")
def stop(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """Stop a run."""
    person = visitor.person
    return _submit(
        request, board, visitor, number, lambda: runs.stop(board, person, number, reason)
    )


class _Shown:
    """Which servers of a run a page shows."""

    def __init__(
        self, state: TargetState | None = None, after: int | None = None, before: int | None = None
    ) -> None:
        self.state, self.after, self.before = state, after, before

    @property
    def query(self) -> dict[str, Any]:
        """The same as a query, without what is not set."""
        given = {"state": self.state, "after": self.after, "before": self.before}
        return {name: value for name, value in given.items() if value is not None}


def _path(number: int) -> str:
    return f"/remote/{number}"


def _limits(request: Request) -> RunLimits:
    return RunLimits.of(request.app.state.settings)


def _spoken(lines: Any, spoken: str) -> Any:
    """Yield lines in the language of the visitor: they are written after the route has ended."""
    while True:
        token = language.set(spoken)
        try:
            line = next(lines, None)
        finally:
            language.reset(token)
        if line is None:
            return
        yield line


def _submit(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    number: int,
    act: Callable[[], object],
) -> Response:
    return actions.submit(
        request,
        act,
        on_success=_path(number),
        on_refusal=lambda **words: _run_page(request, board, visitor, number, _Shown(), **words),
    )


def _run_page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    number: int,
    shown: _Shown,
    *,
    status: int = 200,
    notice: str = "",
) -> Response:
    position = view.position(board)
    words = _run_words(board, visitor, number, shown)
    return render.page(
        request,
        "remote_console/run.html",
        status=status,
        visitor=visitor,
        notice=notice,
        position=position,
        **words,
    )


def _run_words(board: BoardContext, visitor: Visitor, number: int, shown: _Shown) -> dict[str, Any]:
    run = view.get_run(board, visitor.person, number)
    page = view.targets_of(board, number, shown.state, after=shown.after or 0, before=shown.before)
    return {
        "run": run,
        "page": page,
        "query": shown.query,
        "states": list(TargetState),
        "inline": run.total <= _INLINE and run.kind is RunKind.READ,
        "stoppable": run.state in STOPPABLE,
        "is_draft": run.state is RunState.DRAFT,
        "mine": run.author == str(Actor.of(visitor.person)),
        "is_stuck": run.state in OPEN_RUNS and not has_worker(board),
    }


def _server_words(
    board: BoardContext, visitor: Visitor, number: int, ordinal: int
) -> dict[str, Any]:
    run = view.get_run(board, visitor.person, number)
    page = view.targets_of(board, number, after=ordinal - 1, size=1)
    if not page.rows or page.rows[0].ordinal != ordinal:
        raise NotFound(what=t("remote.number", number=number))
    return {"run": run, "one": page.rows[0], "position": view.position(board)}


def _new_page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    given: Mapping[str, str],
    *,
    status: int = 200,
    notice: str = "",
    field: str = "",
) -> Response:
    institutions, _ = server_list.institutions(board, visitor.person, size=2000)
    limits, tool = _limits(request), given.get("tool", "")
    may_change = is_allowed(visitor.person, "directive.force")
    with render.use_visitor_language(request):
        planner = board.planner
        entry = next((one for one in planner.catalogue() if one.name == tool), None)
        is_change = entry is not None and tool not in planner.reads()
        found = targets.preview(board, visitor.person, forms.read_filter(given))
        words = {
            "reads": planner.read_options(),
            "changes": planner.options() if may_change else (),
            "entry": entry,
            "arguments": planner.arguments(tool),
        }
    return render.page(
        request,
        "remote_console/new.html",
        status=status,
        visitor=visitor,
        notice="" if field else notice,
        errors={field: notice} if field else {},
        given=given,
        found=found,
        is_change=is_change,
        most=limits.changes if is_change else limits.reads,
        institutions=[row.institution for row in institutions],
        kinds=_KINDS,
        groups=targets.groups(board),
        **words,
    )
