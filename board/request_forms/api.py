"""API of request forms: the catalogue, its revisions, and filing."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from guardia.board.request_forms import catalogue, filing, revisions
from guardia.board.web.caller import BoardDep, Caller
from guardia.text import CLEANED, CleanStr

router = APIRouter(prefix="/api/v3/request-forms", tags=["request forms"])

FormId = Annotated[str, Path(max_length=40), CLEANED]


class FieldOut(BaseModel):
    """One field of a form."""

    id: str
    label: str
    kind: str
    required: bool
    help: str
    options: list[str]
    least: int | None
    most: int | None


class FormOut(BaseModel):
    """A form."""

    id: str
    title: str
    group: str
    about: str
    priority: str
    due_days: int | None
    fields: list[FieldOut]


class FilledIn(BaseModel):
    """What is filled in, by field."""

    fields: dict[CleanStr, CleanStr | int] = Field(max_length=60)
    ticket: CleanStr = Field(default="", max_length=64)
    """The same ticket files only once."""


class FiledOut(BaseModel):
    """The request that was filed."""

    number: int


class CatalogueIn(BaseModel):
    """A catalogue as YAML."""

    text: CleanStr = Field(max_length=catalogue.MOST_TEXT)
    expected: int | None = Field(default=None, ge=0, le=2**63 - 1)
    """Revision that has to be in force; 0: the shipped catalogue."""
    dry_run: bool = False


class ChangeOut(BaseModel):
    """One difference to the catalogue in force."""

    verb: str
    form_id: str
    title: str


class AppliedOut(BaseModel):
    """The revision in force, and what changed."""

    number: int
    changes: list[ChangeOut]


class RevisionOut(BaseModel):
    """One revision of the catalogue."""

    number: int
    author: str
    applied_at: datetime
    sha256: str


@router.get("", summary="Forms, or those that a search finds")
def list_forms(
    board: BoardDep, _caller: Caller, q: Annotated[CleanStr, Query(max_length=100)] = ""
) -> list[FormOut]:
    """Return the forms in force."""
    found = revisions.running_forms(board).search(q)
    return [FormOut.model_validate(form, from_attributes=True) for form in found]


@router.put("", summary="Apply a catalogue, or show what it would change")
def apply(board: BoardDep, caller: Caller, given: CatalogueIn) -> AppliedOut:
    """Apply a catalogue; 422 with line and reason of each fault."""
    if given.dry_run:
        number, changes = revisions.plan(board, given.text)
    else:
        number, changes = revisions.apply(board, caller, given.text, given.expected)
    found = [ChangeOut.model_validate(one, from_attributes=True) for one in changes]
    return AppliedOut(number=number, changes=found)


class _YamlResponse(PlainTextResponse):
    media_type = "application/yaml"


@router.get(
    "/catalogue",
    summary="The catalogue as YAML",
    response_class=_YamlResponse,
    responses={200: {"content": {"application/yaml": {"schema": {"type": "object"}}}}},
)
def export(board: BoardDep, _caller: Caller) -> _YamlResponse:
    """Return the text in force."""
    return _YamlResponse(revisions.running_text(board)[1])


@router.get("/revisions", summary="Revisions of the catalogue, newest first")
def history(board: BoardDep, _caller: Caller) -> list[RevisionOut]:
    """Return the revisions."""
    found = revisions.history(board)
    return [RevisionOut.model_validate(one, from_attributes=True) for one in found]


@router.get("/{form_id}", summary="One form")
def show(board: BoardDep, _caller: Caller, form_id: FormId) -> FormOut:
    """Return a form; 404 if there is none."""
    return FormOut.model_validate(filing.find_form(board, form_id), from_attributes=True)


@router.post("/{form_id}/requests", summary="File a request with a form", status_code=201)
def file_request(board: BoardDep, caller: Caller, form_id: FormId, given: FilledIn) -> FiledOut:
    """File a request; 422 with the first wrong field."""
    texts: dict[str, Any] = {name: str(value) for name, value in given.fields.items()}
    return FiledOut(number=filing.file_request(board, caller, form_id, texts, given.ticket))
