"""Documents on a board, read by the real bounded process as a worker does."""

from __future__ import annotations

from pathlib import Path

from board_env import ENGINEER, LEAD
from sqlalchemy import select

from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.core.context import BoardContext
from guardia.board.knowledge import contents, records, review
from guardia.board.knowledge.model import DocumentVersion
from guardia.board.knowledge.policy import DocumentDetails
from guardia.board.knowledge.records import NewFile
from guardia.heartbeat import document_readings
from guardia.knowledge.loaders.sandbox import Sandbox
from guardia.org.directory import PersonInfo

SANDBOX = Sandbox()
"""One process for all tests; it ends with theirs."""
PLAIN = DocumentDetails("WAS 점검 지침", field="WAS")


class DocumentEnv:
    """Shortcuts to documents of a board."""

    def __init__(self, board: BoardContext, folder: Path) -> None:
        self.board = board
        self.store = BlobStore(folder, file_bytes=1 << 30, total_bytes=1 << 30)

    def add(
        self,
        content: str | bytes,
        *,
        details: DocumentDetails = PLAIN,
        name: str = "guide.md",
        person: PersonInfo = ENGINEER,
        submit: bool = False,
    ) -> int:
        """Add a document; return its number."""
        data = content.encode() if isinstance(content, str) else content
        with contents.receive_bytes(self.board, self.store, data) as incoming:
            return records.add_document(
                self.board, self.store, person, details, NewFile(name), incoming, submit=submit
            )

    def version(
        self,
        number: int,
        content: str,
        *,
        name: str = "guide.md",
        person: PersonInfo = ENGINEER,
        based_on: int | None = None,
    ) -> int:
        """Add a version and read it; return its number."""
        with contents.receive_bytes(self.board, self.store, content.encode()) as incoming:
            version = records.add_version(
                self.board, self.store, person, number, NewFile(name), incoming, based_on=based_on
            )
        self.read()
        return version

    def published(
        self,
        content: str | bytes,
        *,
        details: DocumentDetails = PLAIN,
        name: str = "guide.md",
        reviewer: PersonInfo = LEAD,
    ) -> int:
        """Add, read and publish a document; return its number."""
        number = self.add(content, details=details, name=name, submit=True)
        self.read()
        review.publish(self.board, reviewer, number, 1)
        return number

    def submit(self, number: int, version: int, person: PersonInfo = ENGINEER) -> None:
        """Hand a version in for review."""
        review.submit(self.board, person, number, version)

    def read(self) -> None:
        """Read every version that waits, as the jobs of a worker do."""
        for version in self._versions("WAITING"):
            document_readings.carry_out(self.board, self.store, SANDBOX, version)

    def read_again(self) -> None:
        """Repeat the jobs of all versions, as after a lost worker."""
        for version in self._versions("READ"):
            document_readings.carry_out(self.board, self.store, SANDBOX, version)

    def _versions(self, reading: str) -> list[int]:
        with self.board.database.reading() as session:
            query = select(DocumentVersion.version_id).where(DocumentVersion.reading == reading)
            return list(session.scalars(query.order_by(DocumentVersion.version_id)))
