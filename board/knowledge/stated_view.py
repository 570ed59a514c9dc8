"""Rules and facts that published documents state, for those who may accept or refuse them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.core.keyset import Keyset, Slice, read_slice
from guardia.board.knowledge.model import Document, DocumentVersion, StatedRow
from guardia.board.knowledge.rights import in_force, readable_by
from guardia.board.knowledge.stated import permitted_kinds
from guardia.errors import NotFound
from guardia.i18n import t
from guardia.org.directory import PersonInfo

_MOST_OF_ONE = 50


@dataclass(frozen=True, slots=True)
class StatedView:
    """A rule or a fact that a document states."""

    sentence_id: int
    kind: str
    sentence: str
    fields: dict[str, str]
    state: str
    result: str
    reason: str
    document: int
    title: str
    version: int
    ordinal: int
    found_at: datetime
    decided_by: str
    decided_at: datetime | None


def list_stated(
    board: BoardContext, viewer: PersonInfo, page: Keyset, state: str = "PROPOSED"
) -> Slice[StatedView]:
    """Return one page of sentences that the viewer may decide, or that were decided."""
    with board.database.reading() as session:
        query = _readable(board, viewer).where(StatedRow.state == state)
        found = read_slice(
            session, query, StatedRow.sentence_id, page, key=lambda row: int(row[0].sentence_id)
        )
        views = _views(session, found.rows)
    return Slice(views, found.newer, found.older)


def of_document(board: BoardContext, viewer: PersonInfo, number: int) -> tuple[StatedView, ...]:
    """Return what the viewer may decide of one document."""
    query = _readable(board, viewer).where(
        StatedRow.document_id == number, StatedRow.state == "PROPOSED"
    )
    with board.database.reading() as session:
        rows = session.execute(query.order_by(StatedRow.ordinal).limit(_MOST_OF_ONE)).all()
        return _views(session, rows)


def get_stated(board: BoardContext, viewer: PersonInfo, sentence_id: int) -> StatedView:
    """Return one sentence. Raises `NotFound`."""
    query = _readable(board, viewer).where(StatedRow.sentence_id == sentence_id)
    with board.database.reading() as session:
        views = _views(session, session.execute(query).all())
    if not views:
        raise NotFound(what=t("documents.stated.title"))
    return views[0]


def _readable(board: BoardContext, viewer: PersonInfo) -> Select[StatedRow, str, int]:
    return (
        select(StatedRow, Document.title, DocumentVersion.number)
        .join(Document, Document.document_id == StatedRow.document_id)
        .join(DocumentVersion, DocumentVersion.version_id == StatedRow.version_id)
        .where(
            readable_by(viewer),
            in_force(board.current_time()),
            StatedRow.kind.in_(permitted_kinds(viewer)),
        )
    )


def _views(session: Any, rows: Any) -> tuple[StatedView, ...]:
    names = display_names_of(session, [row[0].decided_by for row in rows if row[0].decided_by])
    return tuple(
        StatedView(
            sentence_id=one.sentence_id,
            kind=one.kind,
            sentence=one.sentence,
            fields=dict(one.fields),
            state=one.state,
            result=one.result,
            reason=one.reason,
            document=one.document_id,
            title=title,
            version=version,
            ordinal=one.ordinal,
            found_at=one.found_at,
            decided_by=names.get(one.decided_by or "", one.decided_by or ""),
            decided_at=one.decided_at,
        )
        for one, title, version in rows
    )
