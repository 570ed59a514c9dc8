"""API of the search in documents."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from guardia.board.search import questions, related, related_view, view
from guardia.board.search.questions import MOST_CHARACTERS
from guardia.board.search.related_view import RelatedView
from guardia.board.search.view import AnswerView
from guardia.board.web.caller import BoardDep, Caller
from guardia.errors import Unserved
from guardia.i18n import t
from guardia.text import CLEANED

router = APIRouter(prefix="/api/v3", tags=["documents"])

_SECONDS = 10.0


class PassageOut(BaseModel):
    """A passage with its place, and the sentences to quote."""

    document: int
    title: str
    version: int
    passage: int
    headings: list[str]
    page: int | None
    sheet: str
    text: str
    quotes: list[str]
    path: str
    """Link to the very place."""


class AnswerOut(BaseModel):
    """What was found. If nothing fits, the passages are only the nearest ones: ask people."""

    question: int
    fits: bool
    passages: list[PassageOut]


class RelatedDocumentOut(BaseModel):
    """A document with its best passage."""

    document: int
    title: str
    path: str


class SimilarIssueOut(BaseModel):
    """A similar issue that has ended."""

    number: int
    title: str
    status: str
    closed_at: datetime | None
    result: str


class RelatedOut(BaseModel):
    """What is related to an issue. Ask again in a moment while it is not known."""

    is_known: bool
    documents: list[RelatedDocumentOut]
    issues: list[SimilarIssueOut]


@router.get("/issues/{sr_id}/related", summary="Related documents and similar past issues")
def get_related(
    board: BoardDep, caller: Caller, sr_id: Annotated[int, Path(ge=1, le=2**63 - 1)]
) -> RelatedOut:
    """Return what is related to an issue, of what the caller may read."""
    related.want(board, caller, sr_id)
    return related_as_plain(related_view.get_related(board, caller, sr_id))


def related_as_plain(found: RelatedView) -> RelatedOut:
    """Return what is related to an issue as programs read it."""
    return RelatedOut(
        is_known=found.is_known,
        documents=[
            RelatedDocumentOut(document=one.document_id, title=one.title, path=one.path)
            for one in found.documents
        ],
        issues=[
            SimilarIssueOut(
                number=one.sr_id,
                title=one.title,
                status=one.status,
                closed_at=one.closed_at,
                result=one.result,
            )
            for one in found.issues
        ],
    )


@router.get("/search/documents", summary="Ask the documents; the answer quotes passages")
def search(
    board: BoardDep,
    caller: Caller,
    q: Annotated[str, Query(min_length=1, max_length=MOST_CHARACTERS), CLEANED],
) -> AnswerOut:
    """Return the passages that answer a question; 503 while no worker answers."""
    if not questions.has_worker(board):
        raise Unserved(why=t("search.no_worker"))
    number = questions.ask(board, caller, q)
    questions.wait(board, number, _SECONDS)
    found = view.get_answer(board, caller, number)
    if found.state != "ANSWERED":
        raise Unserved(why=t("search.failed" if found.is_over else "search.late"))
    return as_plain(found)


def as_plain(found: AnswerView) -> AnswerOut:
    """Return an answer as programs read it."""
    passages = [
        PassageOut(
            document=one.document_id,
            title=one.title,
            version=one.version,
            passage=one.ordinal,
            headings=list(one.heading_path),
            page=one.page,
            sheet=one.sheet,
            text=one.text,
            quotes=one.quoted,
            path=one.path,
        )
        for one in found.passages
    ]
    return AnswerOut(question=found.question_id, fits=found.fits, passages=passages)
