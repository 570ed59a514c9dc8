"""What is related to an issue, as one viewer may see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue
from guardia.board.issues import visibility
from guardia.board.knowledge import rights
from guardia.board.search import view
from guardia.board.search.model import IssueRelated
from guardia.board.search.questions import has_worker
from guardia.board.search.related import MOST_ISSUES
from guardia.board.search.view import PassageView
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo
from guardia.text import trim

_MOST_DOCUMENTS = 5
_ENDINGS = (
    EntryKind.COMPLETED,
    EntryKind.FAILED,
    EntryKind.HANDED_OVER,
    EntryKind.REJECTED,
    EntryKind.UNDONE,
    EntryKind.NOT_RESTORED,
)
_WORDS = 160


@dataclass(frozen=True, slots=True)
class SimilarIssue:
    """An ended issue that is similar, and how it ended."""

    sr_id: int
    title: str
    status: str
    closed_at: datetime | None
    result: str
    """The beginning of its result; empty for customers."""


@dataclass(frozen=True, slots=True)
class RelatedView:
    """What is related to an issue."""

    sr_id: int
    documents: tuple[PassageView, ...]
    issues: tuple[SimilarIssue, ...]
    is_known: bool
    """Whether a worker has found it; what is shown may be older than the issue's text."""
    is_served: bool
    """Whether a worker is there to find it."""


def get_related(board: BoardContext, viewer: PersonInfo, sr_id: int) -> RelatedView:
    """Return what is related to an issue, of what the viewer may read now.

    Raises `NotFound` unless the issue exists for this viewer.
    """
    now = board.current_time()
    with board.database.reading() as session:
        issue = visibility.find_issue(session, viewer, sr_id)
        row = session.get(IssueRelated, sr_id)
        if row is None or row.found_at is None:
            return RelatedView(sr_id, (), (), is_known=False, is_served=has_worker(board))
        is_customer = viewer.role == "customer"
        found = row.open_documents if is_customer else row.documents
        place = rights.for_place(issue.inst_id)
        conditions = (rights.in_force(now), rights.readable_by(viewer), place)
        documents = _by_document(view.passages(session, found, *conditions))
        numbers = [one["issue"] for one in row.issues]
        issues = _issues(session, viewer, numbers)
    return RelatedView(sr_id, documents, issues, is_known=True, is_served=True)


def _by_document(found: Sequence[PassageView]) -> tuple[PassageView, ...]:
    """Return the best passage of each document."""
    best: dict[int, PassageView] = {}
    for one in found:
        best.setdefault(one.document_id, one)
    return tuple(best.values())[:_MOST_DOCUMENTS]


def _issues(session: Session, viewer: PersonInfo, numbers: list[int]) -> tuple[SimilarIssue, ...]:
    columns = (Issue.sr_id, Issue.title, Issue.status, Issue.closed_at)
    query = select(*columns).where(
        Issue.sr_id.in_(numbers), Issue.closed_at.is_not(None), visibility.visible_to(viewer)
    )
    rows = {row[0]: row for row in session.execute(query)}
    shown = [rows[number] for number in numbers if number in rows][:MOST_ISSUES]
    # As on the page of an issue: what agents report is not for customers.
    reads = is_allowed(viewer, "plan.read")
    results = _results(session, [row[0] for row in shown]) if reads else {}
    return tuple(SimilarIssue(*row, results.get(row[0], "")) for row in shown)


def _results(session: Session, numbers: list[int]) -> dict[int, str]:
    query = (
        select(AuditEntry.sr_id, AuditEntry.detail)
        .where(AuditEntry.sr_id.in_(numbers), AuditEntry.kind.in_([k.value for k in _ENDINGS]))
        .order_by(AuditEntry.seq)
    )
    found = {}
    for number, detail in session.execute(query):
        words = str(detail.get("text") or detail.get("reason") or "")
        found[number] = trim(" ".join(words.split()), _WORDS)
    return found
