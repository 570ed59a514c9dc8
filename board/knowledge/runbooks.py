"""Runbooks as documents: taken over from the product, edited with review, used by agents."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.context import BoardContext
from guardia.board.knowledge import contents, records
from guardia.board.knowledge.model import Document, DocumentVersion
from guardia.board.knowledge.policy import DocumentDetails
from guardia.board.knowledge.records import NewFile
from guardia.org.directory import PersonInfo


@dataclass(frozen=True, slots=True)
class ReviewedRunbook:
    """A version of a runbook that a reviewer has published."""

    runbook_id: str
    sha256: str
    is_current: bool
    """Whether agents follow it now; otherwise a begun task may still refer to it."""


def add_runbook(
    board: BoardContext,
    store: BlobStore,
    person: PersonInfo,
    runbook_id: str,
    title: str,
    content: bytes,
) -> tuple[int, int] | None:
    """Add a runbook of the product as a document, or as a version of it, and hand it in.

    Returns its number and version, or `None` if this content was taken over before.
    """
    file = NewFile(f"{runbook_id}.md", source="product")
    with board.database.reading() as session:
        query = select(Document.document_id).where(Document.runbook_id == runbook_id)
        number = session.scalar(query)
        versions = select(DocumentVersion.sha256).where(DocumentVersion.document_id == number)
        known = set(session.scalars(versions))
    with contents.receive_bytes(board, store, content) as incoming:
        if incoming.sha256 in known:
            return None
        if number is not None:
            version = records.add_version(board, store, person, number, file, incoming, submit=True)
            return number, version
        number = records.add_document(
            board,
            store,
            person,
            DocumentDetails(title),
            file,
            incoming,
            submit=True,
            runbook_id=runbook_id,
        )
        return number, 1


def reviewed(board: BoardContext) -> tuple[ReviewedRunbook, ...]:
    """Return the published versions of runbooks: one small query for each beat with work."""
    with board.database.reading() as session:
        query = (
            select(
                Document.runbook_id,
                DocumentVersion.sha256,
                DocumentVersion.version_id == Document.published_id,
            )
            .join(DocumentVersion, DocumentVersion.document_id == Document.document_id)
            .where(
                Document.kind == "runbook",
                Document.state == "PUBLISHED",
                DocumentVersion.review.in_(["PUBLISHED", "SUPERSEDED"]),
            )
            .order_by(DocumentVersion.version_id)
        )
        return tuple(
            ReviewedRunbook(row[0] or "", row[1], row[2]) for row in session.execute(query)
        )


def are_proven(board: BoardContext, digests: set[str]) -> set[str]:
    """Return those digests whose publication is in the audit log.

    A row that was written past the board does not change what agents do.
    """
    with board.database.reading() as session:
        published = AuditEntry.detail["sha256"].astext
        query = select(published).where(
            AuditEntry.kind == EntryKind.DOCUMENT_PUBLISHED.value, published.in_(digests)
        )
        return set(session.scalars(query))
