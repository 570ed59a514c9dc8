"""Keep the files that a message brings to an issue, and give them to those who see the issue."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.artifacts.blob_store import BlobStore, Incoming
from guardia.board.artifacts.model import Attachment, Blob
from guardia.board.artifacts.records import lock_store, require_room
from guardia.board.core.context import BoardContext
from guardia.board.issues import visibility
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, NotFound, Refused, StoreFull
from guardia.i18n import t
from guardia.org.directory import PersonInfo

_PIECE = 1 << 20
NO_ROOM = "no_room"


@dataclass(frozen=True, slots=True)
class NewAttachment:
    """A file to keep; `content` is `None` if only its name, size and digest are kept."""

    file_name: str
    media_type: str
    size: int
    sha256: str
    content: bytes | None = field(repr=False)
    reason: str = ""
    """Why its content is not kept: a name of `artifacts.not_kept`."""


@dataclass(frozen=True, slots=True)
class AttachmentView:
    """A file of an issue."""

    attachment_id: int
    file_name: str
    size: int
    sha256: str
    is_kept: bool
    is_masked: bool
    """Whether what is kept differs from what was sent."""
    reason: str
    created_at: datetime


def add_attachments(
    board: BoardContext, store: BlobStore, sr_id: int, source: str, files: Sequence[NewAttachment]
) -> None:
    """Keep the files of one message. Those of a repeated delivery change nothing."""
    for ordinal, file in enumerate(files):
        if file.content is None:
            _insert(board, sr_id, source, ordinal, file, None, store)
            continue
        try:
            with store.receive(len(file.content)) as incoming:
                for start in range(0, len(file.content), _PIECE):
                    incoming.write(file.content[start : start + _PIECE])
                incoming.seal()
                _insert(board, sr_id, source, ordinal, file, incoming, store)
        except (StoreFull, Invalid):
            listed = NewAttachment(
                file.file_name, file.media_type, file.size, file.sha256, None, NO_ROOM
            )
            _insert(board, sr_id, source, ordinal, listed, None, store)


@repeat_on_conflict
def _insert(
    board: BoardContext,
    sr_id: int,
    source: str,
    ordinal: int,
    file: NewAttachment,
    incoming: Incoming | None,
    store: BlobStore,
) -> None:
    now = board.clock()
    with board.database.transaction() as session:
        lock_store(session)
        same = Attachment.source == source, Attachment.ordinal == ordinal
        if session.scalar(select(Attachment.attachment_id).where(*same)) is not None:
            return
        if incoming is not None and session.get(Blob, incoming.sha256) is None:
            require_room(session, store, incoming.size)
            session.add(Blob(sha256=incoming.sha256, size=incoming.size, created_at=now))
            session.flush()
        session.add(
            Attachment(
                sr_id=sr_id,
                source=source,
                ordinal=ordinal,
                file_name=file.file_name,
                media_type=file.media_type,
                size=file.size,
                sha256=file.sha256,
                kept=incoming.sha256 if incoming else None,
                reason=file.reason,
                created_at=now,
            )
        )
        session.flush()
        if incoming is not None:
            store.keep(incoming)


def list_attachments(session: Session, sr_id: int) -> tuple[AttachmentView, ...]:
    """Return the files of an issue, oldest first."""
    query = select(Attachment).where(Attachment.sr_id == sr_id)
    rows = session.scalars(query.order_by(Attachment.attachment_id).limit(200))
    return tuple(
        AttachmentView(
            attachment_id=row.attachment_id,
            file_name=row.file_name,
            size=row.size,
            sha256=row.sha256,
            is_kept=row.kept is not None,
            is_masked=row.kept is not None and row.kept != row.sha256,
            reason=row.reason,
            created_at=row.created_at,
        )
        for row in rows
    )


def find_file(
    board: BoardContext, store: BlobStore, viewer: PersonInfo, sr_id: int, attachment_id: int
) -> tuple[str, Path]:
    """Return name and path of a file. Raises `NotFound` for those who may not see its issue."""
    with board.database.reading() as session:
        visibility.find_issue(session, viewer, sr_id)
        row = session.get(Attachment, attachment_id)
        if row is None or row.sr_id != sr_id:
            raise NotFound(what=t("artifacts.attachment"))
        if row.kept is None:
            raise Refused(why=t(f"artifacts.not_kept.{row.reason or NO_ROOM}"))
        name, digest = row.file_name, row.kept
    store.open(digest).close()
    return name, store.path(digest)


def digest_of(content: bytes) -> str:
    """Return the digest under which a content is listed."""
    return hashlib.sha256(content).hexdigest()
