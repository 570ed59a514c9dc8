"""Pages of rollouts: the list, one rollout with its live progress, and its forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from pydantic import TypeAdapter

from guardia.board.artifacts import view as artifacts
from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.cmdb import server_list
from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset
from guardia.board.rollouts import candidates, drafts, forms, progress, requests, rulings, view
from guardia.board.rollouts.forms import EnteredRollout
from guardia.board.rollouts.policy import Options, RolloutState
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.text import FOLDED, CleanStr, Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

Cursor = Annotated[int | None, Query(ge=0, le=2**63 - 1)]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
_Word = Annotated[str, Query(max_length=100), FOLDED]
_PAGE = 20
_OFFERED = 100
"""Artefacts that the form offers, the newest first."""


_TEXTS = TypeAdapter(dict[str, list[CleanStr]])


async def _entered(request: Request) -> EnteredRollout:
    """Return what a form has sent."""
    form = await request.form(max_fields=drafts.MAX_SERVERS + 32)
    given = {name: [str(text)[:200] for text in form.getlist(name)] for name in form}
    texts = _TEXTS.validate_python(given)
    targets = tuple(dict.fromkeys(texts.pop("target", [])))
    return EnteredRollout({name: values[0] for name, values in texts.items()}, targets)


EnteredDep = Annotated[EnteredRollout, Depends(_entered)]


@router.get("/rollouts")
def index(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    before: Cursor = None,
    after: Cursor = None,
) -> Response:
    """Show one page of rollouts, newest first."""
    listing = view.list_rollouts(board, visitor.person, Keyset(before, after, _PAGE))
    return render.page(request, "rollouts/rollouts.html", visitor=visitor, listing=listing)


@router.get("/rollouts/new")
def new(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    *,
    artifact: _Word = "",
    institution: _Word = "",
    kind: _Word = "",
    text: _Word = "",
    service: _Word = "",
) -> Response:
    """Show the form that plans a rollout, with the servers that fit a filter."""
    require_permission(visitor.person, "rollout.plan")
    words = {"institution": institution, "kind": kind, "text": text, "service": service}
    texts = {**forms.first_shown().texts, **words, "artifact": artifact}
    return _new_page(request, board, visitor, EnteredRollout(texts))


@router.post("/rollouts/new")
def ask(
    request: Request, board: BoardDep, visitor: CurrentVisitor, entered: EnteredDep
) -> Response:
    """Have the servers read and their plans made, or look for other servers to tick."""
    require_permission(visitor.person, "rollout.plan")
    if "find" in entered.texts:
        return _new_page(request, board, visitor, entered)

    def act() -> int:
        artifact = forms.parse_artifact(entered.texts.get("artifact", ""))
        wanted = forms.parse_request(entered.targets, entered.texts)
        return requests.ask(board, visitor.person, artifact, wanted, entered.options())

    return actions.submit_fields(
        request,
        act,
        on_success=lambda number: f"/rollouts/{number}",
        on_refusal=partial(_new_page, request, board, visitor, entered),
    )


@router.post("/rollouts/{number}/again")
def again(request: Request, board: BoardDep, visitor: CurrentVisitor, number: Number) -> Response:
    """Plan another rollout of the servers that are not done."""

    def act() -> int:
        old = view.get_rollout(board, visitor.person, number)
        if old.artifact_id is None:
            raise Refused(why=t("rollouts.artifact_gone"))
        left = tuple(progress.unfinished(board, number))
        wanted = (old.request or requests.Request(targets=())).model_copy(update={"targets": left})
        return requests.ask(board, visitor.person, old.artifact_id, wanted, old.options)

    return actions.submit(
        request,
        act,
        on_success=lambda fresh: f"/rollouts/{fresh}",
        on_refusal=partial(_page, request, board, visitor, number),
    )


@router.get("/rollouts/{number}")
def show(request: Request, board: BoardDep, visitor: CurrentVisitor, number: Number) -> Response:
    """Show a rollout."""
    return _page(request, board, visitor, number)


@router.get("/rollouts/{number}/planned")
def planned(board: BoardDep, visitor: CurrentVisitor, number: Number) -> Response:
    """Have the page loaded again as soon as the plans are made."""
    one = view.get_rollout(board, visitor.person, number)
    ready = one.state is not RolloutState.PLANNING
    return Response(status_code=204, headers={"HX-Refresh": "true"} if ready else {})


@router.get("/rollouts/{number}/live")
def live(request: Request, board: BoardDep, visitor: CurrentVisitor, number: Number) -> Response:
    """Return the parts of a rollout that change while it runs."""
    return render.page(
        request,
        "rollouts/rollout_live.html",
        visitor=visitor,
        one=view.get_rollout(board, visitor.person, number),
    )


@router.post("/rollouts/{number}/options")
def options(
    request: Request, board: BoardDep, visitor: CurrentVisitor, number: Number, entered: EnteredDep
) -> Response:
    """Change the order and the rules of a draft."""
    return actions.submit_fields(
        request,
        lambda: drafts.reorder(board, visitor.person, number, entered.options()),
        on_success=f"/rollouts/{number}",
        on_refusal=partial(_page, request, board, visitor, number, entered=entered.texts),
    )


@router.post("/rollouts/{number}/submit")
def submit(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    exception: Annotated[Reason, Form()] = "",
) -> Response:
    """Request the approval of a draft, with exceptions from rules if there is a reason."""
    return actions.submit(
        request,
        lambda: drafts.submit(board, visitor.person, number, exception),
        on_success=f"/rollouts/{number}",
        on_refusal=partial(_page, request, board, visitor, number, typed={"exception": exception}),
    )


@router.post("/rollouts/{number}/order")
def order(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    verb: Annotated[Literal["pause", "resume", "back", "cancel"], Form()],
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """Pause, continue, roll back or cancel a rollout."""
    person = visitor.person
    acts: dict[str, Callable[[], object]] = {
        "pause": lambda: progress.pause(board, person, number, reason),
        "resume": lambda: progress.resume(board, person, number),
        "back": lambda: progress.roll_back(board, person, number, reason),
        "cancel": lambda: drafts.cancel(board, person, number, reason),
    }
    again = partial(_page, request, board, visitor, number, typed={"reason": reason})
    return actions.submit(request, acts[verb], on_success=f"/rollouts/{number}", on_refusal=again)


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    number: int,
    *,
    entered: Mapping[str, str] | None = None,
    typed: Mapping[str, str] | None = None,
    status: int = 200,
    notice: str = "",
    field: str = "",
) -> Response:
    one = view.get_rollout(board, visitor.person, number)
    store = BlobStore.of(request.app.state.settings)
    return render.page(
        request,
        "rollouts/rollout.html",
        status=status,
        visitor=visitor,
        one=one,
        files=view.files_of(board, store, one),
        form={**forms.shown_options(one.options), **(entered or {})},
        typed=typed or {},
        rules=rulings.rules_of(board, number, one.state),
        notice=notice,
        field=field,
    )


def _new_page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    entered: EnteredRollout,
    *,
    status: int = 200,
    notice: str = "",
    field: str = "",
) -> Response:
    words = entered.filter
    wanted = server_list.ServerFilter(words["institution"], words["kind"], words["text"])
    found = candidates.find(board, visitor.person, wanted, words["service"])
    institutions, _ = server_list.institutions(board, visitor.person, size=2000)
    return render.page(
        request,
        "rollouts/rollout_new.html",
        status=status,
        visitor=visitor,
        notice=notice,
        field=field,
        form=entered.texts,
        targets=entered.targets,
        found=candidates.with_ticked(found, entered.targets),
        artifacts=artifacts.list_artifacts(board, visitor.person, Keyset(size=_OFFERED)).rows,
        institutions=[row.institution for row in institutions],
        kinds=Options().tiers,
    )
