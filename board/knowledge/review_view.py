"""Read the versions of documents that wait for review."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import defer

from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.core.keyset import Keyset, Slice, read_slice
from guardia.board.knowledge.model import Document, DocumentVersion
from guardia.board.knowledge.rights import readable_by
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo


@dataclass(frozen=True, slots=True)
class ReviewLine:
    """A version that waits for review."""

    version_id: int
    number: int
    version: int
    title: str
    kind: str
    format: str
    reading: str
    author: str
    is_own: bool
    submitted_at: datetime | None


def review_queue(board: BoardContext, viewer: PersonInfo, page: Keyset) -> Slice[ReviewLine]:
    """Return one page of versions that wait for review, the newest first."""
    require_permission(viewer, "document.edit")
    with board.database.reading() as session:
        query = (
            select(DocumentVersion, Document.title, Document.kind)
            .options(defer(DocumentVersion.body))
            .join(Document, Document.document_id == DocumentVersion.document_id)
            .where(DocumentVersion.review == "IN_REVIEW", readable_by(viewer))
        )
        found = read_slice(
            session, query, DocumentVersion.version_id, page, key=lambda row: int(row[0].version_id)
        )
        names = display_names_of(session, [row[0].author for row in found.rows])
    lines = tuple(
        ReviewLine(
            version_id=row[0].version_id,
            number=row[0].document_id,
            version=row[0].number,
            title=row[1],
            kind=row[2],
            format=row[0].format,
            reading=row[0].reading,
            author=names.get(row[0].author, row[0].author),
            is_own=row[0].author == str(Actor.of(viewer)),
            submitted_at=row[0].submitted_at,
        )
        for row in found.rows
    )
    return Slice(lines, found.newer, found.older)
