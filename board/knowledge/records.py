"""Add documents and versions, change what is said about them, restore and remove."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from guardia.board.artifacts.blob_store import BlobStore, Incoming
from guardia.board.artifacts.model import Blob
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.knowledge import contents, entries, rights
from guardia.board.knowledge.model import Document, DocumentVersion
from guardia.board.knowledge.policy import DocumentDetails, checked
from guardia.db import jobs
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, NotFound, Refused, Stale
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution, Person, Server
from guardia.text import trim

JOB = "read_document"
_MAX_NAME = 200
_MAX_COMMENT = 1000


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that becomes a version of a document."""

    name: str
    comment: str = ""
    source: str = ""
    """Where it came from, such as `attachment:12`."""


@repeat_on_conflict
def add_document(
    board: BoardContext,
    store: BlobStore,
    person: PersonInfo,
    details: DocumentDetails,
    file: NewFile,
    incoming: Incoming,
    *,
    submit: bool = False,
    runbook_id: str | None = None,
) -> int:
    """Add a document with its first version; return its number. A worker reads it afterwards.

    With `runbook_id` it is that runbook, and every version has to be a valid one.
    """
    require_permission(person, "document.edit")
    now = board.clock()
    details = checked(details, now)
    with board.database.transaction() as session:
        return add_within(
            session,
            store,
            Actor.of(person),
            details,
            file,
            incoming,
            now,
            submit=submit,
            runbook_id=runbook_id,
        )


def add_within(
    session: Session,
    store: BlobStore,
    by: Actor,
    details: DocumentDetails,
    file: NewFile,
    incoming: Incoming,
    now: datetime,
    *,
    submit: bool,
    runbook_id: str | None = None,
) -> int:
    """Add a document with its first version in the caller's transaction; return its number."""
    details = _known(session, details)
    contents.keep(session, store, incoming, now)
    row = Document(created_by=str(by), created_at=now, source=file.source)
    row.kind, row.runbook_id = "runbook" if runbook_id else "document", runbook_id
    _apply(row, details, now)
    session.add(row)
    session.flush()
    _add_version(session, row, by, file, incoming.sha256, incoming.size, now, submit=submit)
    _record(session, EntryKind.DOCUMENT_ADDED, by, now, row, sha256=incoming.sha256)
    return row.document_id


@repeat_on_conflict
def add_version(
    board: BoardContext,
    store: BlobStore,
    person: PersonInfo,
    number: int,
    file: NewFile,
    incoming: Incoming,
    *,
    submit: bool = False,
    based_on: int | None = None,
) -> int:
    """Add a version; return its number.

    Raises `Stale` if `based_on` is given and is not the newest version any more.
    """
    require_permission(person, "document.edit")
    now = board.clock()
    with board.database.transaction() as session:
        row = lock_document(session, person, number)
        if based_on is not None and based_on != _newest(session, number):
            raise Stale(what=row.title)
        by = Actor.of(person)
        return add_version_within(session, store, by, row, file, incoming, now, submit=submit)


def add_version_within(
    session: Session,
    store: BlobStore,
    by: Actor,
    row: Document,
    file: NewFile,
    incoming: Incoming,
    now: datetime,
    *,
    submit: bool,
) -> int:
    """Add a version of a locked document in the caller's transaction; return its number."""
    contents.keep(session, store, incoming, now)
    sha256, size = incoming.sha256, incoming.size
    version = _add_version(session, row, by, file, sha256, size, now, submit=submit)
    _record(session, EntryKind.DOCUMENT_VERSION_ADDED, by, now, row, version=version, sha256=sha256)
    return version


@repeat_on_conflict
def restore(board: BoardContext, person: PersonInfo, number: int, version: int) -> int:
    """Add the content of an earlier version as a new one, which needs review; return its number."""
    require_permission(person, "document.edit")
    now = board.clock()
    with board.database.transaction() as session:
        row = lock_document(session, person, number)
        old = find_version(session, number, version)
        if old.reading != "READ":
            raise Refused(why=t("documents.unreadable"))
        if session.get(Blob, old.sha256) is None:
            raise NotFound(what=t("documents.version", version=version))
        file = NewFile(old.file_name, t("documents.restored", version=version))
        by = Actor.of(person)
        new = _add_version(session, row, by, file, old.sha256, old.size, now, restored=version)
        _record(
            session,
            EntryKind.DOCUMENT_VERSION_ADDED,
            person,
            now,
            row,
            version=new,
            sha256=old.sha256,
            restored_from=version,
        )
        return new


@repeat_on_conflict
def change_details(
    board: BoardContext, person: PersonInfo, number: int, details: DocumentDetails
) -> None:
    """Change what is said about a document: title, place, owner, rights and expiry."""
    require_permission(person, "document.edit")
    now = board.clock()
    with board.database.transaction() as session:
        row = lock_document(session, person, number)
        # A document that has expired can be edited without another date.
        is_same = details.expires_at == row.expires_at
        details = checked(details, datetime.min.replace(tzinfo=UTC) if is_same else now)
        _apply(row, _known(session, details), now)
        _record(session, EntryKind.DOCUMENT_CHANGED, person, now, row)


@repeat_on_conflict
def expire(board: BoardContext, person: PersonInfo, number: int) -> None:
    """Take a document out of search and citations from now on, until another date is set."""
    require_permission(person, "document.edit")
    now = board.clock()
    with board.database.transaction() as session:
        row = lock_document(session, person, number)
        row.expires_at = row.updated_at = now
        _record(session, EntryKind.DOCUMENT_CHANGED, person, now, row)


@repeat_on_conflict
def remove(board: BoardContext, person: PersonInfo, number: int) -> None:
    """Remove a document from lists, search and citations; the audit log keeps its digests."""
    require_permission(person, "document.remove")
    now = board.clock()
    with board.database.transaction() as session:
        row = lock_document(session, person, number)
        row.state, row.updated_at = "REMOVED", now
        # A removed document needs no review.
        waiting = DocumentVersion.document_id == number, DocumentVersion.review == "IN_REVIEW"
        session.execute(update(DocumentVersion).where(*waiting).values(review="DRAFT"))
        _record(session, EntryKind.DOCUMENT_REMOVED, person, now, row)


def lock_document(session: Session, person: PersonInfo, number: int) -> Document:
    """Lock a document. Raises `NotFound` if there is none that this person may read."""
    query = select(Document).where(
        Document.document_id == number, Document.state != "REMOVED", rights.readable_by(person)
    )
    row = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if row is None:
        raise NotFound(what=t("documents.number", number=number))
    return row


def find_version(session: Session, number: int, version: int) -> DocumentVersion:
    """Return a version. Raises `NotFound` if there is none."""
    row = session.scalar(
        select(DocumentVersion).where(
            DocumentVersion.document_id == number, DocumentVersion.number == version
        )
    )
    if row is None:
        raise NotFound(what=t("documents.version", version=version))
    return row


def _newest(session: Session, number: int) -> int:
    query = select(func.max(DocumentVersion.number)).where(DocumentVersion.document_id == number)
    return int(session.scalar(query) or 0)


def _add_version(
    session: Session,
    row: Document,
    by: Actor,
    file: NewFile,
    sha256: str,
    size: int,
    now: datetime,
    *,
    submit: bool = False,
    restored: int | None = None,
) -> int:
    number = _newest(session, row.document_id) + 1
    version = DocumentVersion(
        document_id=row.document_id,
        number=number,
        sha256=sha256,
        size=size,
        file_name=_file_name(file.name),
        review="IN_REVIEW" if submit else "DRAFT",
        submitted_at=now if submit else None,
        author=str(by),
        comment=trim(file.comment, _MAX_COMMENT),
        restored_from=restored,
        created_at=now,
    )
    session.add(version)
    row.updated_at = now
    session.flush()
    # One at a time, so that an import of thousands leaves the other threads of a worker free.
    jobs.defer(session, JOB, lock="documents", version_id=version.version_id)
    return number


def _file_name(name: str) -> str:
    """Return the last part of a name; its ending stays when it is too long."""
    last = PurePosixPath(name.replace("\\", "/")).name.strip() or "document.txt"
    return last if len(last) <= _MAX_NAME else last[: _MAX_NAME - 20] + last[-20:]


def _apply(row: Document, details: DocumentDetails, now: datetime) -> None:
    row.title, row.field = details.title, details.field
    row.inst_id, row.server_id, row.owner_id = details.institution, details.server, details.owner
    row.audience, row.roles = details.audience, list(details.roles)
    row.expires_at, row.updated_at = details.expires_at, now


def _known(session: Session, details: DocumentDetails) -> DocumentDetails:
    """Return details whose institution, server and owner exist. Raises `Invalid` otherwise."""
    institution = details.institution
    if details.server:
        server = session.get(Server, details.server)
        if server is None or institution not in {None, server.inst_id}:
            raise _unknown("server", details.server)
        institution = server.inst_id
    if institution and session.get(Institution, institution) is None:
        raise _unknown("institution", institution)
    if details.owner:
        owner = session.get(Person, details.owner)
        if owner is None or not owner.active or owner.role == "customer":
            raise _unknown("owner", details.owner)
    return replace(details, institution=institution)


def _unknown(field: str, value: str) -> Invalid:
    return Invalid(
        what=t(f"documents.{field}"), why=t("documents.unknown", value=value), field=field
    )


def _record(
    session: Session,
    kind: EntryKind,
    by: PersonInfo | Actor,
    now: datetime,
    row: Document,
    **more: str | int,
) -> None:
    entries.record(session, kind, by, now, row, **entries.details_of(row), **more)
