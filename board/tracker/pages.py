"""Web pages of issues: form, issue page, and the actions on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

from guardia.board.approvals import acceptance, decisions
from guardia.board.control import directives, reopening
from guardia.board.control.directive_context import DirectiveRequest
from guardia.board.core import form_guard
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.form_guard import FormGuard
from guardia.board.execution import live_output, output_view
from guardia.board.issues import comments, receiving, view, visibility
from guardia.board.passkeys import signing
from guardia.board.passkeys.answers import parse_answer
from guardia.board.passkeys.relying_party import relying_party
from guardia.board.passkeys.signing import DecisionSubject
from guardia.board.runs import clear_stall
from guardia.board.tracker import after_decision, issue_page, panel
from guardia.board.tracker.decision_form import DecisionForm
from guardia.board.tracker.issue_page import IssueDetail
from guardia.board.tracker.timeline import TimelineQuery, View
from guardia.board.web import actions, forms, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.form_guard import Guard
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import Missing
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.text import CLEANED, FOLDED, Body, Reason, Title, is_blank, trim

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

CHANNEL = "web"
_NEW = "tracker/issue_new.html"
_INVALID = 422
_MAX = 2**63 - 1
Number = Annotated[int, Path(ge=1, le=_MAX)]
Cursor = Annotated[int | None, Query(ge=0, le=_MAX)]


@router.get("/issues/new")
def new_issue_form(request: Request, visitor: CurrentVisitor) -> Response:
    """Show the form for a new request."""
    require_permission(visitor.person, "issue.create")
    return _new_form(request, visitor)


def _new_form(request: Request, visitor: Visitor, **more: Any) -> Response:
    most = request.app.state.settings.attachment_megabytes
    return forms.render_form(request, _NEW, visitor, most_megabytes=most, **more)


@router.post("/issues")
def create_issue(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    title: Annotated[Title, Form()] = "",
    body: Annotated[Body, Form()] = "",
    ticket: Annotated[str, Form(max_length=64), CLEANED] = "",
) -> Response:
    """File a person's request; the title alone is enough."""
    require_permission(visitor.person, "issue.create")
    if is_blank(title + body):
        with render.use_visitor_language(request):
            notice = t("web.new.empty")
        return _new_form(request, visitor, ticket=ticket, notice=notice, status=422)
    person = visitor.person
    new_request = receiving.NewIssue(
        text=trim(body) or title,
        title=title,
        channel=CHANNEL,
        sender=f"{person.name} {person.title}".strip(),
        requester_id=person.id,
        institution=person.institution,
        external_id=f"{person.id}:{ticket}" if ticket else None,
    )
    sr_id = receiving.receive_issue(board, new_request)
    return RedirectResponse(f"/issues/{sr_id}", status_code=303)


@dataclass(frozen=True, slots=True)
class FormError:
    """A refused form of the page: shown again as it was sent, with the reason at its field."""

    form: str
    text: str
    values: dict[str, str] = field(default_factory=dict)


async def read_timeline_query(
    show: View = "all",
    before: Annotated[str, Query(max_length=64), CLEANED] = "",
    at: Annotated[str, Query(max_length=64), CLEANED] = "",
) -> TimelineQuery:
    """Read filter and page of the timeline."""
    return TimelineQuery(show, before, at)


PageOfTimeline = Annotated[TimelineQuery, Depends(read_timeline_query)]


@router.get("/issues/{sr_id}")
def show_issue(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    query: PageOfTimeline,
    guard: Guard,
    decided: Annotated[int | None, Query(ge=1, le=_MAX)] = None,
) -> Response:
    """Show an issue's page; after a decision on a task, also what happens next."""
    notice = (
        after_decision.after_decision(board, visitor.person, sr_id, decided) if decided else None
    )
    return _page(request, board, visitor, sr_id, query=query, guard=guard, decided=notice)


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    sr_id: int,
    *,
    guard: FormGuard,
    query: TimelineQuery | None = None,
    status: int = 200,
    **words: Any,
) -> Response:
    query = query or TimelineQuery()
    found = issue_page.get_issue(board, visitor.person, sr_id, query, guard)
    return render.page(
        request,
        "tracker/issue.html",
        status=status,
        visitor=visitor,
        issue=found,
        tails=request.app.state.feed.outputs.of_issue(sr_id),
        refresh=_refresh_address(sr_id, query),
        guard=guard,
        **_viewer_words(visitor, found),
        **{"notice": "", "form_error": None, "decided": None, **words},
    )


def _viewer_words(visitor: Visitor, issue: IssueDetail) -> dict[str, Any]:
    """Return who looks at an issue's page, and the fields that they may set."""
    person = visitor.person
    return {
        "me": str(Actor.of(person)),
        "editable": panel.editable_fields(person, issue.status),
    }


def _refresh_address(sr_id: int, query: TimelineQuery) -> str:
    words = {"show": query.show, "before": query.before, "at": query.at}
    return f"/issues/{sr_id}/live?{urlencode({n: w for n, w in words.items() if w})}"


@router.get("/issues/{sr_id}/live")
def refresh_issue(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    query: PageOfTimeline,
    guard: Guard,
) -> Response:
    """Show the parts of an issue's page again, with its forms as they were opened."""
    found = issue_page.get_issue(board, visitor.person, sr_id, query, guard)
    return render.page(
        request,
        "tracker/issue_live.html",
        visitor=visitor,
        issue=found,
        guard=guard,
        **_viewer_words(visitor, found),
        refresh=_refresh_address(sr_id, query),
    )


@router.get("/issues/{sr_id}/output")
def show_running_output(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number
) -> Response:
    """Show what the running commands of an issue have printed so far."""
    live_output.require_reader(board, visitor.person, sr_id)
    tails = request.app.state.feed.outputs.of_issue(sr_id)
    return render.page(request, "tracker/running.html", visitor=visitor, tails=tails)


@router.get("/issues/{sr_id}/evidence")
def list_outputs(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number, before: Cursor = None
) -> Response:
    """Show all outputs of an issue, a page at a time."""
    return render.page(
        request,
        "tracker/outputs.html",
        visitor=visitor,
        issue={"sr_id": sr_id},
        listing=output_view.output_page(board, visitor.person, sr_id, before),
    )


@router.get("/issues/{sr_id}/comments/{comment_id}")
def show_comment(
    board: BoardDep, visitor: CurrentVisitor, sr_id: Number, comment_id: Number
) -> Response:
    """Return one whole comment, as text."""
    return PlainTextResponse(view.get_comment(board, visitor.person, sr_id, comment_id))


@router.get("/issues/{sr_id}/evidence/{evidence_id}/raw")
def show_raw_output(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    evidence_id: Number,
) -> Response:
    """Show command and output of one read, for a part of the page that a person opens."""
    return render.page(
        request,
        "execution/raw_output.html",
        visitor=visitor,
        sr_id=sr_id,
        evidence_id=evidence_id,
        raw=output_view.get_raw_output(board, visitor.person, sr_id, evidence_id),
    )


@router.get("/issues/{sr_id}/evidence/{evidence_id}")
def show_output(
    board: BoardDep, visitor: CurrentVisitor, sr_id: Number, evidence_id: Number
) -> Response:
    """Return the whole raw output of one read, as text."""
    return PlainTextResponse(output_view.get_output(board, visitor.person, sr_id, evidence_id))


@router.post("/issues/{sr_id}/tasks/{task_id}/decision")
def decide_step(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    task_id: Number,
    form: Annotated[DecisionForm, Form()],
) -> Response:
    """Decide one approval step, for exactly the plan that the form showed."""
    visibility.require_task(board, visitor.person, sr_id, task_id)

    def act() -> object:
        new_decision = form.request(board).normalized(board.clock())
        if form.passkey:
            rp = relying_party(request.app.state.settings)
            subject = DecisionSubject(
                sr_id, task_id, new_decision.plan_hash, new_decision.verdict.value
            )
            answer = parse_answer(form.passkey)
            signature = signing.accept(board, rp, visitor.person, subject, answer)
            new_decision = replace(new_decision, signature=signature)
        return decisions.submit_decision(board, visitor.person, task_id, new_decision)

    return _submit(
        request,
        board,
        visitor,
        sr_id,
        act,
        form=f"decision-{task_id}",
        values={"reason": form.reason},
        opened_with=form.plan_hash,
        then=f"/issues/{sr_id}?decided={task_id}",
    )


@router.post("/issues/{sr_id}/tasks/{task_id}/orders")
def issue_directive(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    task_id: Number,
    verb: Annotated[str, Form(min_length=1, max_length=20), CLEANED],
    argument: Annotated[str, Form(max_length=64), FOLDED] = "",
    seen: Annotated[str, Form(max_length=64), CLEANED] = "",
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """Issue a directive for a task; it takes effect even while a command is running."""
    visibility.require_task(board, visitor.person, sr_id, task_id)
    new_request = DirectiveRequest(verb, reason, argument, seen=seen)

    def act() -> object:
        return directives.issue_directive(board, visitor.person, task_id, new_request)

    return _submit(
        request,
        board,
        visitor,
        sr_id,
        act,
        form=f"orders-{task_id}-{verb}",
        values={"reason": reason, "argument": argument},
    )


@router.post("/issues/{sr_id}/reopen")
def reopen_issue(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """Reopen an ended issue: it is not settled for the visitor."""
    visibility.require_issue(board, visitor.person, sr_id)
    return _submit(
        request,
        board,
        visitor,
        sr_id,
        lambda: reopening.reopen(board, visitor.person, sr_id, reason),
    )


@router.post("/issues/{sr_id}/tasks/{task_id}/acceptance")
def accept_result(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number, task_id: Number
) -> Response:
    """Accept the result of a completed task."""
    visibility.require_task(board, visitor.person, sr_id, task_id)
    return _submit(
        request, board, visitor, sr_id, lambda: acceptance.accept(board, visitor.person, task_id)
    )


@router.post("/issues/{sr_id}/stall/lift")
def clear_issue_stall(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number
) -> Response:
    """Clear the stall of an issue, so that its agents may continue."""
    visibility.require_issue(board, visitor.person, sr_id)
    return _submit(
        request, board, visitor, sr_id, lambda: clear_stall.clear(board, visitor.person, sr_id)
    )


@router.post("/issues/{sr_id}/comments")
def add_comment(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    body: Annotated[Body, Form()] = "",
) -> Response:
    """Add a comment."""
    visibility.require_issue(board, visitor.person, sr_id)
    require_permission(visitor.person, "issue.comment")

    def act() -> int:
        if is_blank(body):
            with render.use_visitor_language(request):
                raise Missing(what=render.web_label("form", "reason"))
        return comments.add_comment(board, sr_id, Actor.of(visitor.person), body)

    def then(number: int) -> str:
        # The page forgets the draft of a text that has arrived.
        return f"/issues/{sr_id}?done=comment#comment-{number}"

    values = {"body": body}
    return _submit(request, board, visitor, sr_id, act, form="comment", values=values, then=then)


def _submit(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    sr_id: int,
    act: Callable[[], Any],
    *,
    form: str = "",
    values: dict[str, str] | None = None,
    opened_with: str = "",
    then: str | Callable[[Any], str] = "",
) -> Response:
    """Run `act`; a refused form is shown again as it was sent, with its error at the field."""
    guard = form_guard.opened_with(form, opened_with) if opened_with else FormGuard({})

    def show_again(*, status: int, notice: str) -> Response:
        error = FormError(form, notice, values or {}) if form else None
        at_field = error if status == _INVALID else None
        return _page(
            request,
            board,
            visitor,
            sr_id,
            guard=guard,
            status=status,
            notice="" if at_field else notice,
            form_error=error,
        )

    on_success = then or f"/issues/{sr_id}"
    return actions.submit(request, act, on_success=on_success, on_refusal=show_again)
