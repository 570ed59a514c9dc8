"""Keep what a worker has read from a version: its text and passages, or why it is unreadable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import insert, select

from guardia.board.core.context import BoardContext
from guardia.board.knowledge.model import Document, DocumentVersion, Passage
from guardia.db.engine import repeat_on_conflict

_AT_ONCE = 1000


class ReadPassage(Protocol):
    """A passage that was cut."""

    @property
    def heading_path(self) -> Sequence[str]:
        """Headings above it."""

    @property
    def page(self) -> int | None:
        """Page, or `None`."""

    @property
    def sheet(self) -> str:
        """Sheet, or empty."""

    @property
    def text(self) -> str:
        """Its text."""

    @property
    def sha256(self) -> str:
        """Digest of headings and text."""


@dataclass(frozen=True, slots=True)
class ToRead:
    """A version that waits to be read."""

    version_id: int
    file_name: str
    sha256: str
    runbook: str
    """Id of the runbook that it has to be; empty: it is none."""


@dataclass(frozen=True, slots=True)
class ReadText:
    """What was read."""

    format: str
    pages: int
    body: str
    passages: Sequence[ReadPassage]
    milliseconds: int


def to_read(board: BoardContext, version_id: int) -> ToRead | None:
    """Return a version that is not read yet, or `None`."""
    with board.database.reading() as session:
        row = session.execute(
            select(DocumentVersion, Document.runbook_id)
            .join(Document, Document.document_id == DocumentVersion.document_id)
            .where(DocumentVersion.version_id == version_id, DocumentVersion.reading == "WAITING")
        ).one_or_none()
        if row is None:
            return None
        found, runbook = row
        return ToRead(version_id, found.file_name, found.sha256, runbook or "")


@repeat_on_conflict
def settle(board: BoardContext, version_id: int, result: ReadText | str) -> None:
    """Keep the text, or the sentence why there is none. A version is read only once."""
    with board.database.transaction() as session:
        row = session.get(DocumentVersion, version_id, with_for_update=True, populate_existing=True)
        if row is None or row.reading != "WAITING":
            return
        if isinstance(result, str):
            row.reading, row.problem = "UNREADABLE", result
            if row.review == "IN_REVIEW":  # what cannot be read cannot be reviewed
                row.review, row.submitted_at = "DRAFT", None
            return
        row.reading, row.format, row.body = "READ", result.format, result.body
        row.pages, row.read_ms = result.pages, result.milliseconds
        rows = [
            {
                "version_id": version_id,
                "ordinal": ordinal,
                "heading_path": list(one.heading_path),
                "page": one.page,
                "sheet": one.sheet,
                "text": one.text,
                "sha256": one.sha256,
            }
            for ordinal, one in enumerate(result.passages, 1)
        ]
        for start in range(0, len(rows), _AT_ONCE):
            session.execute(insert(Passage), rows[start : start + _AT_ONCE])
