"""API of papers: files, their content as JSON, and the templates."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.papers import issuing, revisions
from guardia.board.papers.issuing import MEDIA_TYPES, PaperRequest
from guardia.board.papers.pages import IssuePaper, disposition
from guardia.board.papers.paper import PaperFormat, PaperKind
from guardia.board.web.caller import BoardDep, Caller
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.text import CleanStr

router = APIRouter(prefix="/api/v3/papers", tags=["papers"])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
Place = Annotated[CleanStr, Path(max_length=100)]
Month = Annotated[CleanStr, Query(max_length=10, description="Such as 2026-11")]
Form = Annotated[PaperFormat, Query(alias="format")]
Institution = Annotated[CleanStr, Query(max_length=100)]
_MAX_TEXT = 100_000
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/html": {"schema": {"type": "string"}},
            MEDIA_TYPES["hwpx"]: _BINARY,
            MEDIA_TYPES["xlsx"]: _BINARY,
        }
    }
}


class _File(Response):
    """A file; its type is that of its format."""


class PapersOut(BaseModel):
    """The papers that there are of an issue."""

    kinds: list[PaperKind]


class TemplateOut(BaseModel):
    """A template in force."""

    kind: PaperKind
    institution: str
    number: int
    source: Literal["institution", "all", "shipped"]
    text: str


class TemplateIn(BaseModel):
    """A template as YAML; an empty text ends the own one of the institution."""

    text: CleanStr = Field(max_length=_MAX_TEXT)
    institution: CleanStr = Field(default="", max_length=100)
    reason: CleanStr = Field(default="", max_length=1000)
    expected: int | None = Field(default=None, ge=0, le=2**63 - 1)


class TemplateNumberOut(BaseModel):
    """The version in force."""

    number: int


class TemplateVersionOut(BaseModel):
    """One version of a template."""

    number: int
    author: str
    reason: str
    applied_at: datetime
    is_removal: bool
    sha256: str


@router.get("/issues/{number}", summary="Papers that there are of an issue")
def list_kinds(board: BoardDep, caller: Caller, number: Number) -> PapersOut:
    """Return the kinds; 404 for strangers to the issue."""
    return PapersOut(kinds=list(issuing.list_kinds(board, caller, number)))


@router.get(
    "/issues/{number}/{kind}",
    summary="A paper of an issue",
    response_class=_File,
    responses=_FILES,
)
def issue_paper(
    board: BoardDep, caller: Caller, number: Number, kind: IssuePaper, form: Form = "json"
) -> Response:
    """Return a paper; 404 if there is none for the caller."""
    return _file(board, caller, PaperRequest(kind, sr_id=number), form)


@router.get(
    "/months/{institution}",
    summary="The monthly report of an institution",
    response_class=_File,
    responses=_FILES,
)
def month_report(
    board: BoardDep, caller: Caller, institution: Place, month: Month = "", form: Form = "json"
) -> Response:
    """Return the report of a month, by default the present one."""
    wanted = PaperRequest("month", institution=institution, month=month)
    return _file(board, caller, wanted, form)


@router.get(
    "/inspections/{server}",
    summary="The checklist of a server",
    response_class=_File,
    responses=_FILES,
)
def inspection(
    board: BoardDep, caller: Caller, server: Place, month: Month = "", form: Form = "json"
) -> Response:
    """Return the checklist of a periodic inspection."""
    return _file(board, caller, PaperRequest("inspection", server=server, month=month), form)


@router.get("/templates/{kind}", summary="The template in force")
def show_template(
    board: BoardDep, caller: Caller, kind: PaperKind, institution: Institution = ""
) -> TemplateOut:
    """Return a template of an institution, without one that of all."""
    require_permission(caller, "paper.edit")
    return TemplateOut.model_validate(
        revisions.running(board, kind, institution), from_attributes=True
    )


@router.put("/templates/{kind}", summary="Put a template in force")
def apply_template(
    board: BoardDep, caller: Caller, kind: PaperKind, given: TemplateIn
) -> TemplateNumberOut:
    """Put a template in force; 422 with line and reason of each fault."""
    number = revisions.apply(
        board, caller, kind, given.institution, given.text, given.reason, given.expected
    )
    return TemplateNumberOut(number=number)


@router.get("/templates/{kind}/versions", summary="Versions of a template, newest first")
def list_versions(
    board: BoardDep, caller: Caller, kind: PaperKind, institution: Institution = ""
) -> list[TemplateVersionOut]:
    """Return the versions of exactly this institution, or of all together."""
    require_permission(caller, "paper.edit")
    found = revisions.history(board, kind, institution)
    return [TemplateVersionOut.model_validate(one, from_attributes=True) for one in found]


def _file(
    board: BoardContext, caller: PersonInfo, wanted: PaperRequest, form: PaperFormat
) -> Response:
    file = issuing.issue_file(board, caller, Actor.of(caller), wanted, form)
    headers = {"Content-Disposition": disposition(file.name, wanted.kind, form)}
    return Response(file.content, media_type=file.media_type, headers=headers)
