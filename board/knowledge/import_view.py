"""Read what an import has to know: what is there already, and how far the reading has come."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select

from guardia.board.core.context import BoardContext
from guardia.board.knowledge.model import Document, DocumentVersion
from guardia.board.knowledge.rights import readable_by
from guardia.org.directory import PersonInfo


def known_digests(board: BoardContext, person: PersonInfo) -> frozenset[str]:
    """Return the digests of the newest versions that a person may read, for repeated imports."""
    with board.database.reading() as session:
        query = (
            select(DocumentVersion.sha256)
            .join(Document, Document.document_id == DocumentVersion.document_id)
            .where(Document.state != "REMOVED", readable_by(person))
        )
        return frozenset(session.scalars(query))


def unread(board: BoardContext, numbers: Collection[int]) -> int:
    """Return how many of these documents have a version that was not read yet."""
    query = (
        select(func.count(DocumentVersion.document_id.distinct()))
        .where(DocumentVersion.document_id.in_(numbers), DocumentVersion.reading == "WAITING")
    )  # fmt: skip
    with board.database.reading() as session:
        return int(session.scalar(query) or 0)


def unreadable(board: BoardContext, numbers: Collection[int]) -> tuple[tuple[int, str, str], ...]:
    """Return number, file name and problem of those documents that could not be read."""
    query = select(
        DocumentVersion.document_id, DocumentVersion.file_name, DocumentVersion.problem
    ).where(DocumentVersion.document_id.in_(numbers), DocumentVersion.reading == "UNREADABLE")
    with board.database.reading() as session:
        found = session.execute(query.order_by(DocumentVersion.version_id))
        return tuple((row[0], row[1], row[2]) for row in found)
