"""Bytes of documents in the store of uploads, and the rows that name them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.artifacts.blob_store import BlobStore, Incoming
from guardia.board.artifacts.model import Blob
from guardia.board.artifacts.records import lock_store, require_room
from guardia.board.core.context import BoardContext
from guardia.board.knowledge.policy import MAX_BYTES
from guardia.errors import Invalid
from guardia.i18n import t

_PIECE = 1 << 20


def receive(board: BoardContext, store: BlobStore, announced: int = 0) -> Incoming:
    """Begin to receive a file. Raises `Invalid` if it is too large, `StoreFull` without room."""
    require_size(announced)
    with board.database.reading() as session:
        require_room(session, store, announced)
    return store.receive(announced)


def receive_bytes(board: BoardContext, store: BlobStore, content: bytes) -> Incoming:
    """Receive a whole file. Close what is returned."""
    require_size(len(content))
    incoming = receive(board, store, len(content))
    try:
        for start in range(0, len(content), _PIECE):
            incoming.write(content[start : start + _PIECE])
        incoming.seal()
    except BaseException:
        incoming.__exit__()
        raise
    return incoming


def require_size(size: int) -> None:
    """Raise `Invalid` if a file is larger than a document may be."""
    if size > MAX_BYTES:
        why = t("documents.too_large", most=MAX_BYTES >> 20)
        raise Invalid(what=t("documents.file"), why=why, field="file")


def keep(session: Session, store: BlobStore, incoming: Incoming, now: datetime) -> None:
    """Keep a sealed content and its row. Raises `Invalid` for an empty one."""
    if not incoming.size:
        raise Invalid(what=t("documents.file"), why=t("documents.empty_file"), field="file")
    require_size(incoming.size)
    lock_store(session)
    if session.get(Blob, incoming.sha256) is None:
        require_room(session, store, incoming.size)
        session.add(Blob(sha256=incoming.sha256, size=incoming.size, created_at=now))
        session.flush()
    store.keep(incoming)
