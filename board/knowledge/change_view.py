"""Issues from which an agent proposed a version, as far as the viewer may see them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, true

from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue
from guardia.board.issues.visibility import visible_to
from guardia.board.knowledge.model import DocumentChange, DocumentVersion
from guardia.org.directory import PersonInfo


@dataclass(frozen=True, slots=True)
class ChangeSource:
    """An issue that led to a version."""

    sr_id: int
    title: str
    reason: str
    """`otherwise` or `verification`."""


def sources_of(
    board: BoardContext, viewer: PersonInfo | None, number: int, version: int
) -> tuple[ChangeSource, ...]:
    """Return the issues that a version comes from; none if a person wrote it.

    `viewer` is `None` for the operator.
    """
    query = (
        select(Issue.sr_id, Issue.title, DocumentChange.reason)
        .join(DocumentChange, DocumentChange.sr_id == Issue.sr_id)
        .join(DocumentVersion, DocumentVersion.version_id == DocumentChange.version_id)
        .where(
            DocumentVersion.document_id == number,
            DocumentVersion.number == version,
            true() if viewer is None else visible_to(viewer),
        )
        .order_by(Issue.sr_id, DocumentChange.reason)
    )
    with board.database.reading() as session:
        return tuple(ChangeSource(*row) for row in session.execute(query))
