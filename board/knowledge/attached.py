"""Take files of issues over as documents."""

from __future__ import annotations

from guardia.board.artifacts import attachments
from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.core.context import BoardContext
from guardia.board.issues import visibility
from guardia.board.knowledge import contents, records
from guardia.board.knowledge.forms import title_of
from guardia.board.knowledge.policy import DocumentDetails
from guardia.board.knowledge.records import NewFile
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo


def take_over(
    board: BoardContext, store: BlobStore, person: PersonInfo, sr_id: int, attachment_id: int
) -> int:
    """Add a file of an issue as a document for its institution; return its number.

    Raises `NotFound` for those who may not see the issue. It is a draft that staff may read.
    """
    require_permission(person, "document.edit")
    name, path = attachments.find_file(board, store, person, sr_id, attachment_id)
    institution = visibility.institution_of(board, sr_id)
    contents.require_size(path.stat().st_size)
    details = DocumentDetails(title_of(name), institution=institution)
    with contents.receive_bytes(board, store, path.read_bytes()) as incoming:
        file = NewFile(name, source=f"attachment:{attachment_id}")
        return records.add_document(board, store, person, details, file, incoming)
