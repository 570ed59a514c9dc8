"""Review of versions: hand in, publish, reject."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.knowledge import change_proposals, entries, policy, stated
from guardia.board.knowledge.model import Document, DocumentVersion
from guardia.board.knowledge.records import find_version, lock_document
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Missing, UserError
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

MOST_AT_ONCE = 200
"""Versions that are published in one request."""


@repeat_on_conflict
def submit(board: BoardContext, person: PersonInfo, number: int, version: int) -> None:
    """Hand a version in for review. Raises `Refused` if it cannot be read or waits already."""
    require_permission(person, "document.edit")
    now = board.clock()
    with board.database.transaction() as session:
        row = lock_document(session, person, number)
        found = find_version(session, number, version)
        policy.require_submittable(found.review, found.reading)
        found.review, found.submitted_at = "IN_REVIEW", now
        _record(session, EntryKind.DOCUMENT_SUBMITTED, person, now, row, found)


@repeat_on_conflict
def publish(
    board: BoardContext, person: PersonInfo, number: int, version: int, note: str = ""
) -> None:
    """Publish a version: from now on it is searched and cited instead of the last one.

    Raises `Refused` for one's own version, or one that was not read.
    """
    require_permission(person, "document.review")
    now = board.clock()
    with board.database.transaction() as session:
        row = lock_document(session, person, number)
        found = find_version(session, number, version)
        policy.require_publishable(found.review, found.reading, found.author, str(Actor.of(person)))
        published = DocumentVersion.document_id == number, DocumentVersion.review == "PUBLISHED"
        session.execute(update(DocumentVersion).where(*published).values(review="SUPERSEDED"))
        _decide(found, "PUBLISHED", person, now, note)
        row.state, row.published_id, row.updated_at = "PUBLISHED", found.version_id, now
        withdrawn = change_proposals.withdraw(session, number, found.version_id)
        stated.read_within(session, row, now)
        more = {"withdrawn": withdrawn} if withdrawn else {}
        _record(session, EntryKind.DOCUMENT_PUBLISHED, person, now, row, found, **more)


@repeat_on_conflict
def reject(board: BoardContext, person: PersonInfo, number: int, version: int, note: str) -> None:
    """Reject a version with a reason; its author may change it and hand it in again."""
    require_permission(person, "document.review")
    if not note.strip():
        raise Missing(what=t("documents.review_note"), field="note")
    now = board.clock()
    with board.database.transaction() as session:
        row = lock_document(session, person, number)
        found = find_version(session, number, version)
        policy.require_rejectable(found.review)
        _decide(found, "REJECTED", person, now, note)
        _record(session, EntryKind.DOCUMENT_REJECTED, person, now, row, found)


def publish_many(
    board: BoardContext, person: PersonInfo, versions: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], str]:
    """Publish several versions, each by itself; return why some were not."""
    refused: dict[tuple[int, int], str] = {}
    for number, version in list(versions)[:MOST_AT_ONCE]:
        try:
            publish(board, person, number, version)
        except UserError as error:
            refused[number, version] = str(error)
    return refused


def _decide(
    found: DocumentVersion, review: str, person: PersonInfo, now: datetime, note: str
) -> None:
    found.review, found.reviewed_by, found.reviewed_at = review, str(Actor.of(person)), now
    found.review_note = note.strip()


def _record(
    session: Session,
    kind: EntryKind,
    person: PersonInfo,
    now: datetime,
    row: Document,
    version: DocumentVersion,
    **more: list[int],
) -> None:
    entries.record(
        session,
        kind,
        person,
        now,
        row,
        version=version.number,
        sha256=version.sha256,
        author=version.author,
        note=version.review_note,
        **more,
    )
