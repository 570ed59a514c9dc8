"""API of the search in documents."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from guardia.board.search import questions, view
from guardia.board.search.questions import MOST_CHARACTERS
from guardia.board.search.view import AnswerView
from guardia.board.web.caller import BoardDep, Caller
from guardia.errors import Unserved
from guardia.i18n import t
from guardia.text import CLEANED

router = APIRouter(prefix="/api/v3/search/documents", tags=["documents"])

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


@router.get("", summary="Ask the documents; the answer quotes passages")
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
