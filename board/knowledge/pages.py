"""Pages of documents: the list, one document, the difference of versions, the original."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from fastapi.responses import FileResponse

from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset
from guardia.board.knowledge import (
    change_view,
    records,
    review,
    review_view,
    stated_view,
    use_view,
    view,
)
from guardia.board.knowledge.view import DocumentFilter, DocumentView
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.org.access import ROLES
from guardia.text import CLEANED, FOLDED, CleanStr, Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

Cursor = Annotated[int | None, Query(ge=0, le=2**63 - 1)]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]
_Word = Annotated[str, Query(max_length=100), FOLDED]
_Start = Annotated[int, Query(ge=1, le=2**31 - 1)]
_Version = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
_PAGE = 30
_FIRST_LINES = 200
_CHOICE = re.compile(r"([0-9]{1,15})-([0-9]{1,9})")


def _filter(
    query: Annotated[str, Query(max_length=100), CLEANED] = "",
    field: _Word = "",
    institution: _Word = "",
    server: _Word = "",
    state: _Word = "",
    kind: _Word = "",
) -> DocumentFilter:
    """Return the conditions of the list."""
    return DocumentFilter(query.strip(), field, institution, server, state, kind)


@router.get("/documents")
def show_list(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    wanted: Annotated[DocumentFilter, Depends(_filter)],
    before: Cursor = None,
    after: Cursor = None,
) -> Response:
    """Show one page of documents, newest first."""
    page = Keyset(before, after, _PAGE)
    return render.page(
        request,
        "knowledge/documents.html",
        visitor=visitor,
        listing=view.list_documents(board, visitor.person, wanted, page),
        wanted=wanted,
        fields=view.fields(board, visitor.person),
        institutions=view.institutions(board) if visitor.person.role != "customer" else (),
    )


@router.get("/documents/review")
def show_queue(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    before: Cursor = None,
    after: Cursor = None,
) -> Response:
    """Show the versions that wait for review."""
    return _queue(request, board, visitor, Keyset(before, after, _PAGE))


@router.post("/documents/review")
def publish_chosen(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    chosen: Annotated[list[CleanStr], Form(max_length=review.MOST_AT_ONCE)] = [],  # noqa: B006 - copied
) -> Response:
    """Publish the chosen versions; each that is refused says why."""
    pairs = [(int(m[1]), int(m[2])) for text in chosen if (m := _CHOICE.fullmatch(text))]
    refused = review.publish_many(board, visitor.person, pairs)
    done = len(pairs) - len(refused)
    status = 409 if refused and not done else 200
    page = Keyset(size=_PAGE)
    return _queue(request, board, visitor, page, status=status, refused=refused, done=done)


@dataclass(frozen=True, slots=True)
class OpenRating:
    """The passage about which a person writes or has written, and the text."""

    ordinal: int
    is_done: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class Entered:
    """What was entered in the forms of a document's page."""

    note: str = ""
    rating: OpenRating | None = None


NOTHING_ENTERED = Entered()


def _rating(rate: _Version = None, rated: _Version = None) -> OpenRating | None:
    """Return the passage whose form is open."""
    chosen = rated or rate
    return OpenRating(chosen, is_done=rated is not None) if chosen else None


@router.get("/documents/{number}")
def show(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    version: _Version = None,
    start: _Start = 1,
    rating: Annotated[OpenRating | None, Depends(_rating)] = None,
) -> Response:
    """Show a document with one of its versions, and the form about one of its passages."""
    return document_page(
        request, board, visitor, number, version=version, start=start, entered=Entered("", rating)
    )


@router.get("/documents/{number}/difference")
def show_difference(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    old: _Start,
    new: _Start,
) -> Response:
    """Show how two versions differ."""
    found = view.get_document(board, visitor.person, number, new)
    lines = view.difference(board, visitor.person, number, old, new)
    return render.page(
        request,
        "knowledge/difference.html",
        visitor=visitor,
        found=found,
        lines=lines,
        old=old,
        new=new,
    )


@router.get("/documents/{number}/versions/{version}/file")
def download(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    version: VersionNumber,
) -> Response:
    """Return the original as a download: a browser never shows it, under any name or type."""
    return original(request, board, visitor, number, version)


def original(
    request: Request, board: BoardContext, visitor: Visitor, number: int, version: int
) -> FileResponse:
    """Return the original of a version."""
    store = BlobStore.of(request.app.state.settings)
    name, digest = view.content_of(board, visitor.person, number, version)
    store.open(digest).close()
    return FileResponse(
        store.path(digest),
        filename=name,
        media_type="application/octet-stream",
        headers={"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"},
    )


@router.post("/documents/{number}/versions/{version}/submit")
def submit(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    version: VersionNumber,
) -> Response:
    """Hand a version in for review."""
    return _act(request, board, visitor, number, partial(review.submit, version=version), version)


@router.post("/documents/{number}/versions/{version}/restore")
def restore(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    version: VersionNumber,
) -> Response:
    """Take an earlier version as a new one."""
    return actions.submit(
        request,
        lambda: records.restore(board, visitor.person, number, version),
        on_success=lambda new: f"/documents/{number}?version={new}",
        on_refusal=partial(document_page, request, board, visitor, number, version=version),
    )


@router.post("/documents/{number}/versions/{version}/publish")
def publish(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    version: VersionNumber,
    note: Annotated[Reason, Form()] = "",
) -> Response:
    """Publish a version."""
    act = partial(review.publish, version=version, note=note)
    return _act(request, board, visitor, number, act, version, note=note)


@router.post("/documents/{number}/versions/{version}/reject")
def reject(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    version: VersionNumber,
    note: Annotated[Reason, Form()] = "",
) -> Response:
    """Reject a version."""
    act = partial(review.reject, version=version, note=note)
    return _act(request, board, visitor, number, act, version, note=note)


@router.post("/documents/{number}/expire")
def expire(request: Request, board: BoardDep, visitor: CurrentVisitor, number: Number) -> Response:
    """Let a document expire now."""
    return _act(request, board, visitor, number, records.expire)


@router.post("/documents/{number}/remove")
def remove(request: Request, board: BoardDep, visitor: CurrentVisitor, number: Number) -> Response:
    """Remove a document."""
    return actions.submit(
        request,
        lambda: records.remove(board, visitor.person, number),
        on_success="/documents",
        on_refusal=partial(document_page, request, board, visitor, number),
    )


def _act(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    number: int,
    act: Any,
    version: int | None = None,
    *,
    note: str = "",
) -> Response:
    back = f"/documents/{number}" + (f"?version={version}" if version else "")
    return actions.submit(
        request,
        lambda: act(board, visitor.person, number),
        on_success=back,
        on_refusal=partial(
            document_page, request, board, visitor, number, version=version, entered=Entered(note)
        ),
    )


def document_page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    number: int,
    *,
    version: int | None = None,
    start: int = 1,
    status: int = 200,
    notice: str = "",
    entered: Entered = NOTHING_ENTERED,
) -> Response:
    """Render the page of a document, with the form about one of its passages."""
    rating = entered.rating
    if rating is not None and start == 1:
        start = max(1, rating.ordinal - 2)
    found = view.get_document(board, visitor.person, number, version, start)
    use = use_view.uses_of(
        board, number, [one.passage_id for one in found.passages], found.published_id
    )
    shown = found.shown
    waits = shown.review == "IN_REVIEW"
    return render.page(
        request,
        "knowledge/document.html",
        status=status,
        visitor=visitor,
        found=found,
        shown=shown,
        sources=change_view.sources_of(board, visitor.person, number, shown.version)
        if waits
        else (),
        lines=_difference(board, visitor, found) if waits else (),
        start=start,
        notice=notice,
        note=entered.note,
        use=use,
        stated=stated_view.of_document(board, visitor.person, number),
        rating=rating,
        roles=ROLES,
        is_own=shown.author_id == str(Actor.of(visitor.person)),
    )


def _difference(
    board: BoardContext, visitor: Visitor, found: DocumentView
) -> tuple[tuple[str, str], ...]:
    """Return the first lines in which a version differs from the published one."""
    if found.published is None or found.published == found.shown.version:
        return ()
    number, shown = found.line.number, found.shown.version
    return view.difference(board, visitor.person, number, found.published, shown)[:_FIRST_LINES]


def _queue(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    page: Keyset,
    *,
    status: int = 200,
    refused: dict[tuple[int, int], str] | None = None,
    done: int = 0,
) -> Response:
    return render.page(
        request,
        "knowledge/review.html",
        status=status,
        visitor=visitor,
        listing=review_view.review_queue(board, visitor.person, page),
        refused=refused or {},
        done=done,
    )
