"""Read documents for pages, commands and the API."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy import ColumnElement, Select, and_, or_, select, true
from sqlalchemy.orm import Session, defer

from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.core.keyset import Keyset, Slice, read_slice
from guardia.board.knowledge.model import Document, DocumentVersion, Passage
from guardia.board.knowledge.rights import readable_by
from guardia.board.knowledge.use_view import needs_update
from guardia.errors import NotFound
from guardia.i18n import t
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution

PASSAGES_PER_PAGE = 100
_MOST_VERSIONS = 200
_MOST_LINES = 2000


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """Conditions of a list; empty ones do not apply."""

    query: str = ""
    field: str = ""
    institution: str = ""
    server: str = ""
    state: str = ""
    kind: str = ""

    def as_query(self) -> dict[str, str]:
        """Return the conditions in force by their name."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """A document in a list."""

    number: int
    title: str
    kind: str
    field: str
    institution: str
    server: str
    state: str
    """As in the table, or `EXPIRED`."""
    audience: str
    format: str
    version: int
    """Number of the newest version."""
    waiting: bool
    """Whether a version waits for review."""
    updated_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class VersionLine:
    """A version in the history of its document."""

    version: int
    review: str
    reading: str
    problem: str
    format: str
    file_name: str
    size: int
    sha256: str
    pages: int
    read_ms: int
    author: str
    author_id: str
    comment: str
    reviewer: str
    review_note: str
    created_at: datetime
    reviewed_at: datetime | None


@dataclass(frozen=True, slots=True)
class DocumentPassage:
    """A passage with its place."""

    passage_id: int
    ordinal: int
    heading_path: tuple[str, ...]
    page: int | None
    sheet: str
    text: str


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document with one of its versions."""

    line: DocumentLine
    roles: tuple[str, ...]
    owner: str
    owner_id: str
    source: str
    created_by: str
    created_at: datetime
    versions: tuple[VersionLine, ...]
    shown: VersionLine
    published: int | None
    """Number of the published version."""
    published_id: int | None
    """Its row."""
    passages: tuple[DocumentPassage, ...]
    more: int | None
    """Ordinal with which the next page of passages begins."""
    headings: tuple[tuple[int, str], ...]
    """Ordinal and innermost heading of where each section begins."""


def list_documents(
    board: BoardContext, viewer: PersonInfo | None, wanted: DocumentFilter, page: Keyset
) -> Slice[DocumentLine]:
    """Return one page, newest first; `viewer` is `None` for the operator."""
    now = board.current_time()
    newest = (
        select(DocumentVersion.number, DocumentVersion.format)
        .where(DocumentVersion.document_id == Document.document_id)
        .order_by(DocumentVersion.number.desc())
        .limit(1)
        .lateral()
    )
    waiting = select(DocumentVersion.version_id).where(
        DocumentVersion.document_id == Document.document_id, DocumentVersion.review == "IN_REVIEW"
    )
    with board.database.reading() as session:
        query: Select[Document, int, str, bool] = (
            select(Document, newest.c.number, newest.c.format, waiting.exists())
            .join(newest, true())
            .where(Document.state != "REMOVED", _readable(viewer), *_conditions(wanted, now))
        )
        found = read_slice(
            session, query, Document.document_id, page, key=lambda row: int(row[0].document_id)
        )
    lines = tuple(_line(*row, now) for row in found.rows)
    return Slice(lines, found.newer, found.older)


def fields(board: BoardContext, viewer: PersonInfo) -> tuple[str, ...]:
    """Return the fields of the documents that a person may read."""
    with board.database.reading() as session:
        query = select(Document.field).where(Document.field != "", readable_by(viewer)).distinct()
        return tuple(session.scalars(query.order_by(Document.field).limit(100)))


def get_document(
    board: BoardContext,
    viewer: PersonInfo | None,
    number: int,
    version: int | None = None,
    start: int = 1,
) -> DocumentView:
    """Return a document with a version, by default the published or else the newest one.

    Raises `NotFound`. A customer sees published versions only.
    """
    now = board.current_time()
    with board.database.reading() as session:
        row = _find(session, viewer, number)
        versions = _versions(session, row, viewer)
        shown = _chosen(versions, row, version)
        query = select(Passage).where(Passage.version_id == shown.version_id)
        passages = session.scalars(
            query.where(Passage.ordinal >= start)
            .order_by(Passage.ordinal)
            .limit(PASSAGES_PER_PAGE + 1)
        ).all()
        headings = session.execute(
            select(Passage.ordinal, Passage.heading_path)
            .where(Passage.version_id == shown.version_id)
            .order_by(Passage.ordinal)
        ).all()
        people = {row.created_by, *(v.author for v in versions), *(v.reviewed_by for v in versions)}
        owner = str(Actor.person(row.owner_id)) if row.owner_id else ""
        names = display_names_of(session, [one for one in {*people, owner} if one])
    lines = tuple(_version_line(one, names) for one in versions)
    newest = versions[0]
    waits = any(one.review == "IN_REVIEW" for one in versions)
    kept = passages[:PASSAGES_PER_PAGE]
    return DocumentView(
        line=_line(row, newest.number, newest.format, waits, now),
        roles=tuple(row.roles),
        owner=names.get(owner, row.owner_id or ""),
        owner_id=row.owner_id or "",
        source=row.source,
        created_by=names.get(row.created_by, row.created_by),
        created_at=row.created_at,
        versions=lines,
        shown=next(one for one in lines if one.version == shown.number),
        published_id=row.published_id,
        published=next((v.number for v in versions if v.version_id == row.published_id), None),
        passages=tuple(_passage(one) for one in kept),
        more=passages[-1].ordinal if len(passages) > PASSAGES_PER_PAGE else None,
        headings=_headings([(one[0], one[1]) for one in headings]),
    )


def body_of(board: BoardContext, viewer: PersonInfo | None, number: int, version: int) -> str:
    """Return the text of a version. Raises `NotFound`."""
    with board.database.reading() as session:
        row = _find(session, viewer, number)
        return _chosen(_versions(session, row, viewer), row, version).body


def content_of(
    board: BoardContext, viewer: PersonInfo | None, number: int, version: int
) -> tuple[str, str]:
    """Return the name and digest of the original of a version. Raises `NotFound`."""
    with board.database.reading() as session:
        row = _find(session, viewer, number)
        found = _chosen(_versions(session, row, viewer), row, version)
        return found.file_name, found.sha256


def difference(
    board: BoardContext, viewer: PersonInfo | None, number: int, old: int, new: int
) -> tuple[tuple[str, str], ...]:
    """Return the lines that differ between two versions, each with its mark: `+`, `-`, space, `@`.

    At most 2,000 lines.
    """
    before, after = (body_of(board, viewer, number, one).splitlines() for one in (old, new))
    lines = islice(difflib.unified_diff(before, after, n=2, lineterm=""), 2, _MOST_LINES + 2)
    return tuple((line[:1], "" if line.startswith("@") else line[1:]) for line in lines)


def _readable(viewer: PersonInfo | None) -> ColumnElement[bool]:
    return true() if viewer is None else readable_by(viewer)


def _conditions(wanted: DocumentFilter, now: datetime) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.query:
        escaped = wanted.query.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        found.append(Document.title.ilike(f"%{escaped}%", escape="\\"))
    for column, value in (
        (Document.field, wanted.field),
        (Document.inst_id, wanted.institution),
        (Document.server_id, wanted.server),
        (Document.kind, wanted.kind),
    ):
        if value:
            found.append(column == value)
    over = and_(Document.expires_at.is_not(None), Document.expires_at <= now)
    if wanted.state == "EXPIRED":
        found.append(over)
    elif wanted.state == "STALE":
        found.append(needs_update(now))
    elif wanted.state:
        found.append(
            and_(Document.state == wanted.state, or_(~over, Document.expires_at.is_(None)))
        )
    return found


def _find(session: Session, viewer: PersonInfo | None, number: int) -> Document:
    query = select(Document).where(Document.document_id == number, Document.state != "REMOVED")
    row = session.scalar(query.where(_readable(viewer)))
    if row is None:
        raise NotFound(what=t("documents.number", number=number))
    return row


def _versions(session: Session, row: Document, viewer: PersonInfo | None) -> list[DocumentVersion]:
    query = select(DocumentVersion).where(DocumentVersion.document_id == row.document_id)
    if viewer is not None and viewer.role == "customer":
        query = query.where(DocumentVersion.version_id == row.published_id)
    query = query.options(defer(DocumentVersion.body)).order_by(DocumentVersion.number.desc())
    return list(session.scalars(query.limit(_MOST_VERSIONS)))


def _chosen(versions: list[DocumentVersion], row: Document, version: int | None) -> DocumentVersion:
    if version is None:
        published = (one for one in versions if one.version_id == row.published_id)
        found = next(published, versions[0] if versions else None)
    else:
        found = next((one for one in versions if one.number == version), None)
    if found is None:
        raise NotFound(what=t("documents.number", number=row.document_id))
    return found


def _line(row: Document, version: int, format_: str, waits: bool, now: datetime) -> DocumentLine:
    is_over = row.expires_at is not None and row.expires_at <= now
    return DocumentLine(
        number=row.document_id,
        title=row.title,
        kind=row.kind,
        field=row.field,
        institution=row.inst_id or "",
        server=row.server_id or "",
        state="EXPIRED" if is_over else row.state,
        audience=row.audience,
        format=format_,
        version=version,
        waiting=waits,
        updated_at=row.updated_at,
        expires_at=row.expires_at,
    )


def _version_line(row: DocumentVersion, names: dict[str, str]) -> VersionLine:
    return VersionLine(
        version=row.number,
        review=row.review,
        reading=row.reading,
        problem=row.problem,
        format=row.format,
        file_name=row.file_name,
        size=row.size,
        sha256=row.sha256,
        pages=row.pages,
        read_ms=row.read_ms,
        author=names.get(row.author, row.author),
        author_id=row.author,
        comment=row.comment,
        reviewer=names.get(row.reviewed_by or "", row.reviewed_by or ""),
        review_note=row.review_note,
        created_at=row.created_at,
        reviewed_at=row.reviewed_at,
    )


def _passage(row: Passage) -> DocumentPassage:
    return DocumentPassage(
        row.passage_id, row.ordinal, tuple(row.heading_path), row.page, row.sheet, row.text
    )


def _headings(rows: list[tuple[int, list[str]]]) -> tuple[tuple[int, str], ...]:
    found: list[tuple[int, str]] = []
    last: list[str] | None = None
    for ordinal, path in rows:
        if path and path != last:
            found.append((ordinal, path[-1]))
        last = path
    return tuple(found[:300])


def institutions(board: BoardContext) -> tuple[tuple[str, str], ...]:
    """Return ids and names of institutions for the choices of a form."""
    with board.database.reading() as session:
        query = select(Institution.inst_id, Institution.inst_name).order_by(Institution.inst_name)
        return tuple((row[0], row[1]) for row in session.execute(query.limit(2000)))
