"""Pages of the audit log: search it, verify it, export it, from a hash to its checkpoint."""

from __future__ import annotations

import tempfile
from datetime import date
from functools import partial
from pathlib import Path as File
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask

from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.integrity import daily_report, export, log_view
from guardia.board.integrity.log_view import LogFilter
from guardia.board.integrity.verification import VerificationResult
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.text import CleanStr

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

PATH = "/audit"
_MOST = 2**63 - 1


class SearchForm(BaseModel):
    """What is searched for, as it was sent; what cannot be read does not limit the search."""

    text: Annotated[CleanStr, Field(max_length=200)] = ""
    kind: Annotated[CleanStr, Field(max_length=100)] = ""
    actor: Annotated[CleanStr, Field(max_length=100)] = ""
    issue: Annotated[CleanStr, Field(max_length=30)] = ""
    first: Annotated[CleanStr, Field(max_length=20)] = ""
    last: Annotated[CleanStr, Field(max_length=20)] = ""
    before: Annotated[int | None, Field(ge=1, le=_MOST)] = None


@router.get(PATH)
def show(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    form: Annotated[SearchForm, Query()],
) -> Response:
    """Show one page of the entries that fit."""
    given = {name: value.strip() for name, value in form.model_dump(exclude={"before"}).items()}
    return _page(request, board, visitor, given, before=form.before)


@router.post(f"{PATH}/verify")
def verify(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    part: Annotated[Literal["new", "all"], Form()] = "new",
) -> Response:
    """Verify what is new since the last verification, or everything, and log the result."""
    require_permission(visitor.person, "audit.verify")
    result: VerificationResult | None = None

    def act() -> None:
        nonlocal result
        actor = Actor.of(visitor.person)
        result = daily_report.verify_and_log(board, actor, full=part == "all")

    show_again = partial(_page, request, board, visitor, {})
    answer = actions.submit(request, act, on_success=PATH, on_refusal=show_again)
    return answer if result is None else _page(request, board, visitor, {}, result=result)


@router.post(f"{PATH}/export")
def export_log(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Download the whole log for the separate verifier."""
    require_permission(visitor.person, "audit.verify")
    folder = tempfile.TemporaryDirectory(prefix="guardia-export-")
    file = File(folder.name) / "audit-log.jsonl"
    try:
        entries, _ = export.export_log(board, file)
    except BaseException:
        folder.cleanup()
        raise
    return FileResponse(
        file,
        media_type="application/x-ndjson",
        filename=f"guardia-audit-{entries}.jsonl",
        background=BackgroundTask(folder.cleanup),
    )


@router.get(f"{PATH}/{{seq}}")
def show_entry(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    seq: Annotated[int, Path(ge=1, le=_MOST)],
) -> Response:
    """Show one entry, and the signed checkpoint that covers it."""
    return render.page(
        request,
        "integrity/audit_entry.html",
        visitor=visitor,
        found=log_view.entry(board, visitor.person, seq),
    )


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    given: dict[str, str],
    *,
    before: int | None = None,
    result: VerificationResult | None = None,
    status: int = 200,
    notice: str = "",
) -> Response:
    wanted = LogFilter(
        given.get("text", ""),
        given.get("kind", ""),
        given.get("actor", ""),
        _issue_number(given.get("issue", "")),
        _day(given.get("first", "")),
        _day(given.get("last", "")),
    )
    fault = ""
    if result is not None and not result.intact:
        with render.use_visitor_language(request):
            fault = daily_report.describe_fault(result.verdict, t)
    return render.page(
        request,
        "integrity/audit.html",
        status=status,
        visitor=visitor,
        found=log_view.search(board, visitor.person, wanted, before=before),
        given={"text": "", "kind": "", "actor": "", "issue": "", "first": "", "last": ""} | given,
        query={name: value for name, value in given.items() if value},
        kinds=[kind.value for kind in EntryKind],
        result=result,
        fault=fault,
        notice=notice,
    )


def _issue_number(text: str) -> int | None:
    digits = text.upper().removeprefix("SR-")
    return min(int(digits), _MOST) if digits.isascii() and digits.isdigit() else None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
