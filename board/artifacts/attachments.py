"""Keep the files that a message brings to an issue, and give them to those who see the issue."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.artifacts import screening
from guardia.board.artifacts.blob_store import BlobStore, Incoming
from guardia.board.artifacts.model import Attachment, Blob
from guardia.board.artifacts.records import lock_store, require_room
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.issues import locking, visibility
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, NotFound, Refused, StoreFull
from guardia.i18n import t
from guardia.org.access import require_permission
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


def attach(
    board: BoardContext,
    store: BlobStore,
    person: PersonInfo,
    sr_id: int,
    file_name: str,
    media_type: str,
    content: bytes,
) -> AttachmentView:
    """Keep a file that a person adds to an issue.

    Raises `NotFound` for those who may not see the issue, `Invalid` for an empty file, a compiled
    program, and one with resident numbers that cannot be masked.
    """
    name = screening.safe_name(file_name) or t("artifacts.unnamed")
    with board.database.reading() as session:
        issue = visibility.find_issue(session, person, sr_id)
        require_permission(person, "issue.comment", institution=issue.inst_id)
        locking.require_open(session, sr_id, Actor.of(person))
    if not content:
        raise Invalid(what=t("artifacts.attachment"), why=t("artifacts.no_content"))
    if screening.is_program(content):
        raise Invalid(what=t("artifacts.attachment"), why=t("artifacts.is_program"))
    kept, reason = screening.kept_content(name, media_type, content)
    if kept is None:
        raise Invalid(what=t("artifacts.attachment"), why=t(f"artifacts.refused.{reason}"))
    digest, source = digest_of(content), f"web:{secrets.token_hex(16)}"
    file = NewAttachment(name, media_type, len(content), digest, kept)
    add_attachments(board, store, sr_id, source, [file])
    return _record_attached(board, person, sr_id, source)


@repeat_on_conflict
def _record_attached(
    board: BoardContext, person: PersonInfo, sr_id: int, source: str
) -> AttachmentView:
    with board.database.transaction() as session:
        row = session.scalars(select(Attachment).where(Attachment.source == source)).one()
        if row.kept is None:
            raise StoreFull(why=t(f"artifacts.not_kept.{row.reason}"))
        by = Actor.of(person)
        log.append(
            session,
            EntryKind.ATTACHED,
            actor=str(by),
            now=board.clock(),
            sr_id=sr_id,
            detail={"attachment": row.attachment_id, "name": row.file_name, "sha256": row.sha256},
            by=by.label,
            file=row.file_name,
        )
        return _view(row)


def list_attachments(session: Session, sr_id: int) -> tuple[AttachmentView, ...]:
    """Return the files of an issue, oldest first."""
    query = select(Attachment).where(Attachment.sr_id == sr_id)
    rows = session.scalars(query.order_by(Attachment.attachment_id).limit(200))
    return tuple(map(_view, rows))


def _view(row: Attachment) -> AttachmentView:
    return AttachmentView(
        attachment_id=row.attachment_id,
        file_name=row.file_name,
        size=row.size,
        sha256=row.sha256,
        is_kept=row.kept is not None,
        is_masked=row.kept is not None and row.kept != row.sha256,
        reason=row.reason,
        created_at=row.created_at,
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
