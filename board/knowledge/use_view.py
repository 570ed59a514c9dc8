"""How documents are used and which need an update, for pages, the dashboard and commands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.knowledge.model import (
    AnswerDay,
    Document,
    DocumentFinding,
    DocumentUse,
    PassageUse,
)
from guardia.board.knowledge.rights import in_force, readable_by
from guardia.org.directory import PersonInfo

REASONS = ("verification", "found_nothing", "wrong", "server_version", "expired")
_MOST_FINDINGS = 20


@dataclass(frozen=True, slots=True)
class Uses:
    """How often a document or a passage was used."""

    found: int = 0
    opened: int = 0
    cited: int = 0
    helped: int = 0
    unhelped: int = 0


@dataclass(frozen=True, slots=True)
class FindingView:
    """A reason why a document needs an update."""

    reason: str
    detail: str
    sr_id: int | None
    found_at: datetime


@dataclass(frozen=True, slots=True)
class UsedDocument:
    """A document with its use."""

    number: int
    title: str
    uses: Uses


@dataclass(frozen=True, slots=True)
class StaleDocument:
    """A document that needs an update, and why."""

    number: int
    title: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SearchTotals:
    """Searches of one kind of asker that found something, and that did not."""

    answered: int = 0
    unanswered: int = 0


@dataclass(frozen=True, slots=True)
class DocumentUseView:
    """What the page of a document shows of its use."""

    uses: Uses
    passages: dict[int, Uses]
    """By the number of the passage's row."""
    findings: tuple[FindingView, ...]


def uses_of(
    board: BoardContext, number: int, passages: list[int], version: int | None
) -> DocumentUseView:
    """Return the use of a document, of passages of it, and why its published version needs an
    update. The caller has checked the right to read it.
    """
    with board.database.reading() as session:
        total = session.get(DocumentUse, number)
        rows = session.scalars(select(PassageUse).where(PassageUse.passage_id.in_(passages)))
        each = {row.passage_id: _uses(row) for row in rows}
        query = (
            select(DocumentFinding)
            .where(DocumentFinding.document_id == number, DocumentFinding.version_id == version)
            .order_by(DocumentFinding.finding_id.desc())
            .limit(_MOST_FINDINGS)
        )
        findings = tuple(
            FindingView(row.reason, row.detail, row.sr_id, row.found_at)
            for row in session.scalars(query)
        )
    return DocumentUseView(_uses(total), each, findings)


def most_used(session: Session, viewer: PersonInfo, now: datetime, most: int) -> list[UsedDocument]:
    """Return the documents that were cited and opened most."""
    weight = DocumentUse.cited + DocumentUse.opened + DocumentUse.helped
    query = (
        select(Document.document_id, Document.title, DocumentUse)
        .join(DocumentUse, DocumentUse.document_id == Document.document_id)
        .where(in_force(now), readable_by(viewer), weight > 0)
        .order_by(weight.desc(), Document.document_id)
        .limit(most)
    )
    return [UsedDocument(row[0], row[1], _uses(row[2])) for row in session.execute(query)]


def unused(session: Session, viewer: PersonInfo, now: datetime, most: int) -> list[UsedDocument]:
    """Return published documents that no answer, person or issue has used, the oldest first."""
    query = (
        select(Document.document_id, Document.title)
        .outerjoin(DocumentUse, DocumentUse.document_id == Document.document_id)
        .where(in_force(now), readable_by(viewer), DocumentUse.document_id.is_(None))
        .order_by(Document.updated_at, Document.document_id)
        .limit(most)
    )
    return [UsedDocument(row[0], row[1], Uses()) for row in session.execute(query)]


def stale(session: Session, viewer: PersonInfo, now: datetime, most: int) -> list[StaleDocument]:
    """Return the published documents that need an update, each with all of its reasons."""
    query = (
        _stale(viewer, now)
        .group_by(Document.document_id)
        .order_by(func.max(DocumentFinding.found_at).desc().nulls_last(), Document.document_id)
        .limit(most)
    )
    return [
        StaleDocument(number, title, _reasons(found, is_over=bool(is_over)))
        for number, title, found, is_over in session.execute(query)
    ]


def count_stale(session: Session, viewer: PersonInfo, now: datetime) -> int:
    """Return how many published documents need an update."""
    found = _stale(viewer, now).group_by(Document.document_id).subquery()
    return int(session.scalar(select(func.count()).select_from(found)) or 0)


def needs_update(now: datetime) -> ColumnElement[bool]:
    """Return the condition for published documents that need an update."""
    finding = (
        select(DocumentFinding.finding_id)
        .where(
            DocumentFinding.document_id == Document.document_id,
            DocumentFinding.version_id == Document.published_id,
        )
        .correlate(Document)
    )
    return and_(Document.state == "PUBLISHED", or_(Document.expires_at <= now, finding.exists()))


def answers(session: Session, since: date) -> dict[str, SearchTotals]:
    """Return the searches since a day, by who asked."""
    query = (
        select(AnswerDay.asker, func.sum(AnswerDay.answered), func.sum(AnswerDay.unanswered))
        .where(AnswerDay.day >= since)
        .group_by(AnswerDay.asker)
    )
    return {row[0]: SearchTotals(int(row[1]), int(row[2])) for row in session.execute(query)}


def _stale(viewer: PersonInfo, now: datetime) -> Select[int, str, list[str | None], bool | None]:
    return (
        select(
            Document.document_id,
            func.min(Document.title),
            func.array_agg(DocumentFinding.reason.distinct()),
            func.bool_or(Document.expires_at <= now),
        )
        .outerjoin(
            DocumentFinding,
            and_(
                DocumentFinding.document_id == Document.document_id,
                DocumentFinding.version_id == Document.published_id,
            ),
        )
        .where(needs_update(now), readable_by(viewer))
    )


def _reasons(found: list[str | None], *, is_over: bool) -> tuple[str, ...]:
    known = {*found, "expired"} if is_over else set(found)
    return tuple(reason for reason in REASONS if reason in known)


def _uses(row: DocumentUse | PassageUse | None) -> Uses:
    if row is None:
        return Uses()
    return Uses(row.found, row.opened, row.cited, row.helped, row.unhelped)
