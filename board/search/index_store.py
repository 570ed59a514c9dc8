"""What is searched and what is indexed of it: read and written by the workers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.knowledge import rights
from guardia.board.knowledge.model import Document, Passage
from guardia.board.search.model import IndexedText
from guardia.db import events
from guardia.db.engine import repeat_on_conflict
from guardia.org.directory import PersonInfo

CHANNEL = "guardia_documents"
"""Announces that published documents, or what is indexed of them, may have changed."""
LOCK = "guardia-search-index"
"""Name of the lock of the one worker that indexes."""
_BATCH = 5000


@dataclass(frozen=True, slots=True)
class SearchedPassage:
    """A passage of a published version."""

    passage_id: int
    document_id: int
    text: str
    """Title, headings and text: what is indexed."""
    body_at: int
    """Where the text itself begins."""

    @property
    def sha256(self) -> str:
        """Digest of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class IndexRow:
    """A text with its words and its vector."""

    sha256: str
    words: tuple[str, ...]
    vector: bytes | None


Fingerprint = tuple[int, datetime | None]
"""Changes whenever published documents have changed."""


def fingerprint(board: BoardContext) -> Fingerprint:
    """Return what has to be compared to notice that the index is out of date."""
    is_published = Document.published_id.is_not(None)
    query = select(func.count(), func.max(Document.updated_at)).where(is_published)
    with board.database.reading() as session:
        count, newest = session.execute(query).one()
        return int(count), newest


def published(board: BoardContext) -> list[SearchedPassage]:
    """Return the passages of all published versions; who may read which is asked later."""
    query = (
        select(
            Passage.passage_id,
            Document.document_id,
            Document.title,
            Passage.heading_path,
            Passage.text,
        )
        .join(Document, Document.published_id == Passage.version_id)
        .where(Document.state == "PUBLISHED")
        .order_by(Passage.passage_id)
        .execution_options(yield_per=_BATCH)
    )
    with board.database.reading() as session:
        return [_searched(*row) for row in session.execute(query)]


def _searched(
    number: int, document: int, title: str, path: list[str], text: str
) -> SearchedPassage:
    head = "".join(f"{line}\n" for line in (title, *path))
    return SearchedPassage(number, document, head + text, len(head))


def rows_of(board: BoardContext, model: str, digests: Iterable[str]) -> dict[str, IndexRow]:
    """Return what is indexed of these texts."""
    wanted = sorted(set(digests))
    found: dict[str, IndexRow] = {}
    with board.database.reading() as session:
        for at in range(0, len(wanted), _BATCH):
            query = select(IndexedText.sha256, IndexedText.words, IndexedText.vector).where(
                IndexedText.model == model, IndexedText.sha256.in_(wanted[at : at + _BATCH])
            )
            for digest, words, vector in session.execute(query):
                found[digest] = IndexRow(digest, tuple(words.split("\n")) if words else (), vector)
    return found


@repeat_on_conflict
def announce(board: BoardContext) -> None:
    """Let the other workers read what was indexed."""
    with board.database.transaction() as session:
        events.send(session, CHANNEL, "")


@repeat_on_conflict
def store(board: BoardContext, model: str, rows: Sequence[IndexRow]) -> None:
    """Keep what was indexed."""
    now = board.clock()
    values: list[dict[str, Any]] = [
        {
            "sha256": row.sha256,
            "model": model,
            "words": "\n".join(row.words),
            "vector": row.vector,
            "created_at": now,
        }
        for row in rows
    ]
    if not values:
        return
    with board.database.transaction() as session:
        session.execute(insert(IndexedText).on_conflict_do_nothing(), values)


@repeat_on_conflict
def forget(board: BoardContext, model: str, digests: Iterable[str]) -> None:
    """Delete what is indexed of texts that no published passage has any more."""
    pairs = [(digest, model) for digest in digests]
    with board.database.transaction() as session:
        for at in range(0, len(pairs), _BATCH):
            chosen = tuple_(IndexedText.sha256, IndexedText.model).in_(pairs[at : at + _BATCH])
            session.execute(delete(IndexedText).where(chosen))


def digests_of(board: BoardContext, model: str) -> set[str]:
    """Return the digests of all texts that a model has indexed."""
    with board.database.reading() as session:
        query = select(IndexedText.sha256).where(IndexedText.model == model)
        return set(session.scalars(query))


def readable_documents(session: Session, viewer: PersonInfo, now: datetime) -> list[int]:
    """Return the documents that a person may read and that are in force."""
    query = select(Document.document_id).where(rights.in_force(now), rights.readable_by(viewer))
    return list(session.scalars(query))


def usable_documents(board: BoardContext, institution: str | None, server: str | None) -> list[int]:
    """Return the documents that agents may use for work at an institution."""
    query = select(Document.document_id).where(
        rights.in_force(board.current_time()), rights.usable_for(institution, server)
    )
    with board.database.reading() as session:
        return list(session.scalars(query))
