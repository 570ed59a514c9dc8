"""API of documents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from guardia.board.artifacts.blob_store import BlobStore, Incoming
from guardia.board.core.keyset import Keyset
from guardia.board.knowledge import change_view, contents, forms, ratings, records, review, view
from guardia.board.knowledge.change_view import ChangeSource
from guardia.board.knowledge.policy import STAFF_ROLES, DocumentDetails
from guardia.board.knowledge.records import NewFile
from guardia.board.knowledge.view import DocumentFilter, DocumentView
from guardia.board.web.caller import BoardDep, Caller
from guardia.text import CleanStr, Reason

router = APIRouter(prefix="/api/v3/documents", tags=["documents"])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]
_Word = Annotated[CleanStr, Query(max_length=100)]
_Version = Annotated[int, Query(ge=1, le=2**31 - 1)]
_PIECE = 1 << 20


class DocumentOut(BaseModel):
    """A document in a list."""

    number: int
    title: str
    kind: str
    field: str
    institution: str
    server: str
    state: str
    audience: str
    format: str
    version: int
    waiting: bool
    updated_at: datetime
    expires_at: datetime | None


class VersionOut(BaseModel):
    """A version of a document."""

    version: int
    review: str
    reading: str
    problem: str
    format: str
    file_name: str
    size: int
    sha256: str
    pages: int
    read_ms: int
    author: str
    comment: str
    reviewer: str
    review_note: str
    created_at: datetime
    reviewed_at: datetime | None


class DocumentPassageOut(BaseModel):
    """A passage with its place."""

    ordinal: int
    heading_path: list[str]
    page: int | None
    sheet: str
    text: str


class ChangeSourceOut(BaseModel):
    """An issue from which an agent proposed a version."""

    issue: int
    title: str
    reason: str


class DocumentFullOut(DocumentOut):
    """A document with its versions and a page of passages of one of them."""

    roles: list[str]
    owner: str
    published: int | None
    shown: int
    versions: list[VersionOut]
    sources: list[ChangeSourceOut]
    """Issues from which an agent proposed the shown version."""
    passages: list[DocumentPassageOut]
    more: int | None


class DetailsIn(BaseModel):
    """What is said about a document."""

    title: CleanStr = Field(max_length=200)
    field: CleanStr = Field(default="", max_length=32)
    institution: CleanStr | None = Field(default=None, max_length=100)
    server: CleanStr | None = Field(default=None, max_length=100)
    owner: CleanStr | None = Field(default=None, max_length=100)
    audience: CleanStr = Field(default="roles", max_length=20)
    roles: list[CleanStr] = Field(default=list(STAFF_ROLES), max_length=20)
    expires_at: datetime | None = None

    def details(self) -> DocumentDetails:
        """Return the details."""
        return DocumentDetails(
            self.title,
            self.field,
            self.institution,
            self.server,
            self.owner,
            self.audience,
            tuple(self.roles),
            self.expires_at,
        )


class PassageRatingIn(BaseModel):
    """What a person says of a passage."""

    verdict: Literal["helped", "wrong"]
    reason: Reason = ""


class NoteIn(BaseModel):
    """A comment of a reviewer."""

    note: Reason = ""


class AddedOut(BaseModel):
    """What was added."""

    number: int
    version: int


class DifferenceLineOut(BaseModel):
    """A line of a difference."""

    mark: str
    text: str


def _conditions(
    query: _Word = "",
    field: _Word = "",
    institution: _Word = "",
    server: _Word = "",
    state: _Word = "",
    kind: _Word = "",
) -> DocumentFilter:
    """Return the conditions of the list."""
    return DocumentFilter(query, field, institution, server, state, kind)


@router.get("", summary="Documents that the caller may read, newest first")
def list_(
    board: BoardDep,
    caller: Caller,
    wanted: Annotated[DocumentFilter, Depends(_conditions)],
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[DocumentOut]:
    """Return one page of documents."""
    found = view.list_documents(board, caller, wanted, Keyset(before=before, size=limit))
    return [DocumentOut.model_validate(one, from_attributes=True) for one in found.rows]


@router.get("/{number}", summary="One document with its versions and passages")
def show(
    board: BoardDep,
    caller: Caller,
    number: Number,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    start: _Version = 1,
) -> DocumentFullOut:
    """Return a document; 404 if the caller may not read it."""
    found = view.get_document(board, caller, number, version, start)
    return _full(found, change_view.sources_of(board, caller, number, found.shown.version))


async def _received(request: Request, board: BoardDep, _caller: Caller) -> AsyncIterator[Incoming]:
    """Receive the body as a stream; what is not kept is removed in any case."""
    store = BlobStore.of(request.app.state.settings)
    announced = request.headers.get("content-length", "")
    size = int(announced[:18]) if announced.isdecimal() else 0
    with await run_in_threadpool(contents.receive, board, store, size) as incoming:
        await _fill(request, incoming)
        yield incoming


async def _fill(request: Request, incoming: Incoming) -> None:
    piece = bytearray()
    async for data in request.stream():
        contents.require_size(incoming.size + len(piece) + len(data))
        piece += data
        if len(piece) >= _PIECE:
            await run_in_threadpool(incoming.write, bytes(piece))
            piece.clear()
    await run_in_threadpool(incoming.write, bytes(piece))
    await run_in_threadpool(incoming.seal)


def _new_details(
    *,
    file: Annotated[CleanStr, Query(max_length=200, description="Name of the file")],
    title: Annotated[CleanStr, Query(max_length=200)] = "",
    field: _Word = "",
    institution: _Word = "",
    server: _Word = "",
    owner: _Word = "",
    audience: _Word = "roles",
    roles: Annotated[list[CleanStr], Query(max_length=20)] = [],  # noqa: B006 - FastAPI copies
    expires_at: datetime | None = None,
) -> tuple[str, DocumentDetails]:
    """Return what the request says about its body."""
    details = DocumentDetails(
        title or forms.title_of(file),
        field,
        institution or None,
        server or None,
        owner or None,
        audience,
        tuple(roles) or STAFF_ROLES,
        expires_at,
    )
    return file, details


@router.post("", summary="Add a document: the body is its file", status_code=201)
async def add(
    request: Request,
    board: BoardDep,
    caller: Caller,
    given: Annotated[tuple[str, DocumentDetails], Depends(_new_details)],
    incoming: Annotated[Incoming, Depends(_received)],
    submit: bool = False,
) -> AddedOut:
    """Add a document; a worker reads the file afterwards. 422 if something is wrong."""
    name, details = given
    store = BlobStore.of(request.app.state.settings)

    def act() -> int:
        file = NewFile(name)
        return records.add_document(board, store, caller, details, file, incoming, submit=submit)

    return AddedOut(number=await run_in_threadpool(act), version=1)


@router.post("/{number}/versions", summary="Add a version: the body is its file", status_code=201)
async def add_version(
    request: Request,
    board: BoardDep,
    caller: Caller,
    number: Number,
    *,
    file: Annotated[CleanStr, Query(max_length=200, description="Name of the file")],
    incoming: Annotated[Incoming, Depends(_received)],
    comment: Annotated[CleanStr, Query(max_length=1000)] = "",
    submit: bool = False,
) -> AddedOut:
    """Add a version; 404 if the caller may not read the document."""
    store = BlobStore.of(request.app.state.settings)

    def act() -> int:
        new = NewFile(file, comment)
        return records.add_version(board, store, caller, number, new, incoming, submit=submit)

    return AddedOut(number=number, version=await run_in_threadpool(act))


@router.put("/{number}", summary="Change title, place, owner, rights and expiry", status_code=204)
def change(board: BoardDep, caller: Caller, number: Number, given: DetailsIn) -> None:
    """Replace what is said about a document."""
    records.change_details(board, caller, number, given.details())


@router.get("/{number}/difference", summary="How two versions differ")
def difference(
    board: BoardDep, caller: Caller, number: Number, old: _Version, new: _Version
) -> list[DifferenceLineOut]:
    """Return the lines that differ."""
    lines = view.difference(board, caller, number, old, new)
    return [DifferenceLineOut(mark=mark, text=text) for mark, text in lines]


@router.get(
    "/{number}/versions/{version}/file",
    summary="The original of a version",
    response_class=FileResponse,
)
def original(
    request: Request, board: BoardDep, caller: Caller, number: Number, version: VersionNumber
) -> FileResponse:
    """Return the file as it was uploaded."""
    store = BlobStore.of(request.app.state.settings)
    name, digest = view.content_of(board, caller, number, version)
    store.open(digest).close()
    return FileResponse(store.path(digest), filename=name, media_type="application/octet-stream")


@router.post("/{number}/versions/{version}/submit", summary="Hand in for review", status_code=204)
def submit(board: BoardDep, caller: Caller, number: Number, version: VersionNumber) -> None:
    """Hand a version in for review; 409 if it cannot be."""
    review.submit(board, caller, number, version)


@router.post(
    "/{number}/versions/{version}/restore", summary="Restore as a new version", status_code=201
)
def restore(board: BoardDep, caller: Caller, number: Number, version: VersionNumber) -> AddedOut:
    """Take an earlier version as a new one."""
    return AddedOut(number=number, version=records.restore(board, caller, number, version))


@router.post("/{number}/versions/{version}/publish", summary="Publish", status_code=204)
def publish(
    board: BoardDep, caller: Caller, number: Number, version: VersionNumber, given: NoteIn
) -> None:
    """Publish a version that waits for review; never one's own."""
    review.publish(board, caller, number, version, given.note)


@router.post("/{number}/versions/{version}/reject", summary="Reject", status_code=204)
def reject(
    board: BoardDep, caller: Caller, number: Number, version: VersionNumber, given: NoteIn
) -> None:
    """Reject a version with a reason."""
    review.reject(board, caller, number, version, given.note)


@router.post(
    "/{number}/passages/{ordinal}/rating", summary="Say that a passage helped", status_code=204
)
def rate(
    board: BoardDep, caller: Caller, number: Number, ordinal: VersionNumber, given: PassageRatingIn
) -> None:
    """Say that a passage of the published version helped, or why it is wrong."""
    ratings.rate(board, caller, number, ordinal, given.verdict, given.reason)


@router.delete("/{number}", summary="Remove a document", status_code=204)
def remove(board: BoardDep, caller: Caller, number: Number) -> None:
    """Remove a document from lists, search and citations."""
    records.remove(board, caller, number)


def _full(found: DocumentView, sources: tuple[ChangeSource, ...]) -> DocumentFullOut:
    line = DocumentOut.model_validate(found.line, from_attributes=True)
    return DocumentFullOut(
        **line.model_dump(),
        roles=list(found.roles),
        owner=found.owner,
        published=found.published,
        shown=found.shown.version,
        versions=[VersionOut.model_validate(v, from_attributes=True) for v in found.versions],
        sources=[ChangeSourceOut(issue=s.sr_id, title=s.title, reason=s.reason) for s in sources],
        passages=[
            DocumentPassageOut.model_validate(p, from_attributes=True) for p in found.passages
        ],
        more=found.more,
    )
