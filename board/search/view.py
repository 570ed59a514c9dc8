"""Answers as people read them: passages with their place, and a link to the very place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.knowledge import rights
from guardia.board.knowledge.model import Document, DocumentVersion, Passage
from guardia.board.search.model import DocumentQuestion
from guardia.errors import NotFound
from guardia.org.directory import PersonInfo

_BEFORE = 2
"""Passages that the page shows before the one that a link leads to."""


@dataclass(frozen=True, slots=True)
class PassageView:
    """A passage with its place."""

    passage_id: int
    document_id: int
    title: str
    version: int
    ordinal: int
    heading_path: tuple[str, ...]
    page: int | None
    sheet: str
    text: str
    sha256: str
    """Digest of headings and text."""
    quotes: tuple[tuple[int, int], ...] = ()
    """Where the quoted parts begin and end in the text."""

    @property
    def path(self) -> str:
        """Link to the very place."""
        start = max(1, self.ordinal - _BEFORE)
        query = f"version={self.version}&start={start}"
        return f"/documents/{self.document_id}?{query}#p{self.ordinal}"

    @property
    def parts(self) -> list[tuple[str, bool]]:
        """The text in parts, and whether each is quoted."""
        found, at = [], 0
        for begin, end in self.quotes:
            found += [(self.text[at:begin], False), (self.text[begin:end], True)]
            at = end
        return [(text, quoted) for text, quoted in [*found, (self.text[at:], False)] if text]

    @property
    def quoted(self) -> list[str]:
        """The quoted sentences."""
        return [self.text[begin:end] for begin, end in self.quotes]


@dataclass(frozen=True, slots=True)
class SentenceView:
    """A sentence of a composed answer, with the passage that it cites."""

    text: str
    number: int
    """Number of the cited passage in the list."""


@dataclass(frozen=True, slots=True)
class AnswerView:
    """A question and what was found."""

    question_id: int
    question: str
    state: str
    fits: bool
    passages: tuple[PassageView, ...]
    sentences: tuple[SentenceView, ...]

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self.state in ("ANSWERED", "FAILED")


def get_answer(board: BoardContext, viewer: PersonInfo, question_id: int) -> AnswerView:
    """Return the own question with what the person may read now. Raises `NotFound`."""
    now = board.current_time()
    with board.database.reading() as session:
        row = session.get(DocumentQuestion, question_id)
        if row is None or row.person_id != viewer.id:
            raise NotFound(what=str(question_id))
        readable = (rights.in_force(now), rights.readable_by(viewer))
        found = passages(session, row.passages, *readable)
    numbers = {passage.passage_id: at for at, passage in enumerate(found, 1)}
    sentences = [
        SentenceView(one["text"], numbers[one["passage"]])
        for one in row.answer
        if one["passage"] in numbers
    ]
    # Without one of its passages the answer is not the one that was checked.
    whole = tuple(sentences) if len(sentences) == len(row.answer) else ()
    return AnswerView(question_id, row.question, row.state, row.fits, tuple(found), whole)


def passages(
    session: Session, found: Iterable[dict[str, Any]], *conditions: Any
) -> list[PassageView]:
    """Return found passages in their order, of those documents that the conditions permit."""
    wanted = {one["passage"]: one for one in found}
    query = (
        select(Passage, Document.document_id, Document.title, DocumentVersion.number)
        .join(DocumentVersion, DocumentVersion.version_id == Passage.version_id)
        .join(Document, Document.published_id == Passage.version_id)
        .where(Passage.passage_id.in_(wanted), *conditions)
    )
    rows = {row[0].passage_id: row for row in session.execute(query)}
    return [
        _passage(*rows[number], one.get("quotes", ()))
        for number, one in wanted.items()
        if number in rows
    ]


def _passage(
    row: Passage, document: int, title: str, version: int, quotes: Iterable[Iterable[int]]
) -> PassageView:
    spans = tuple((begin, end) for begin, end in quotes)
    return PassageView(
        passage_id=row.passage_id,
        document_id=document,
        title=title,
        version=version,
        ordinal=row.ordinal,
        heading_path=tuple(row.heading_path),
        page=row.page,
        sheet=row.sheet,
        text=row.text,
        sha256=row.sha256,
        quotes=spans,
    )
