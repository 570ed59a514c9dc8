"""Related documents and similar past issues: a page asks, a worker finds, the page shows them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, union
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue, Task
from guardia.board.issues import visibility
from guardia.board.knowledge import rights
from guardia.board.knowledge.model import Document
from guardia.board.search.model import IssueRelated
from guardia.board.search.questions import CHANNEL, FoundPassage, as_stored
from guardia.db import events
from guardia.db.engine import repeat_on_conflict
from guardia.org.directory import PersonInfo

MOST_ISSUES = 5
_RENEW = timedelta(hours=6)
"""After which similar issues are looked for again."""
_LOST = timedelta(minutes=1)
"""After which a worker that has not answered is not waited for any more."""
_TEXT = 2000
"""Characters of an issue that are compared."""
_OF_SERVER, _OF_INSTITUTION, _OF_CATEGORY = 300, 300, 500
"""Newest issues of the same place or kind that are compared: a bound, however many there are."""


@dataclass(frozen=True, slots=True)
class RelatedWork:
    """An issue as a worker takes it."""

    sr_id: int
    text: str
    staff_documents: list[int]
    """What engineers may read of its institution and servers."""
    open_documents: list[int]
    """What the customers of its institution may read."""


@dataclass(frozen=True, slots=True)
class PastIssue:
    """An ended issue to compare."""

    sr_id: int
    text: str
    is_same_institution: bool


@repeat_on_conflict
def want(board: BoardContext, viewer: PersonInfo, sr_id: int) -> None:
    """Let a worker find what is related to an issue, if that is not known or out of date.

    Raises `NotFound` unless the issue exists for this viewer.
    """
    now = board.current_time()
    with board.database.transaction() as session:
        issue = visibility.find_issue(session, viewer, sr_id)
        row = session.get(IssueRelated, sr_id)
        if row is not None and _is_current(session, row, _digest(_text_of(issue)), now):
            return
        if row is not None and row.state != "FOUND" and row.wanted_at > now - _LOST:
            return
        values = {"state": "WAITING", "wanted_at": now}
        session.execute(
            insert(IssueRelated)
            .values(sr_id=sr_id, **values)
            .on_conflict_do_update(index_elements=["sr_id"], set_=values)
        )
        events.send(session, CHANNEL, f"issue {sr_id}")


@repeat_on_conflict
def take(board: BoardContext) -> RelatedWork | None:
    """Take an issue that waits, or return `None`. Each is taken by one worker."""
    now = board.current_time()
    with board.database.transaction() as session:
        row = session.scalar(
            select(IssueRelated)
            .where(IssueRelated.state == "WAITING")
            .order_by(IssueRelated.wanted_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if row is None:
            return None
        issue = session.get_one(Issue, row.sr_id)
        row.state, row.text_digest = "TAKEN", _digest(_text_of(issue))
        usable = or_(*(rights.usable_for(issue.inst_id, one) for one in _servers(session, issue)))
        customer = PersonInfo(id="", name="", title="", role="customer", institution=issue.inst_id)
        return RelatedWork(
            row.sr_id,
            _text_of(issue),
            _documents(session, now, usable),
            _documents(session, now, rights.readable_by(customer)),
        )


def past_issues(board: BoardContext, sr_id: int) -> list[PastIssue]:
    """Return the ended issues that may be similar: the newest of its servers, institution and
    category.
    """
    with board.database.reading() as session:
        issue = session.get_one(Issue, sr_id)
        servers = [one for one in _servers(session, issue) if one]
        sources: list[Select[int]] = [
            _newest(Issue.inst_id == issue.inst_id, _OF_INSTITUTION),
            _newest(func.coalesce(Issue.category, "") == (issue.category or ""), _OF_CATEGORY),
        ]
        if servers:
            of_server = select(Task.sr_id).where(Task.target_server.in_(servers))
            sources.append(of_server.order_by(Task.created_at.desc()).limit(_OF_SERVER))
        numbers = union(*(select(one.subquery().c[0]) for one in sources)).subquery()
        query = select(
            Issue.sr_id, Issue.title, func.substr(Issue.body, 1, _TEXT), Issue.inst_id
        ).where(Issue.sr_id.in_(select(numbers.c[0])), Issue.closed_at.is_not(None))
        return [
            PastIssue(number, _joined(title, body), place == issue.inst_id)
            for number, title, body, place in session.execute(query.where(Issue.sr_id != sr_id))
        ]


@repeat_on_conflict
def settle(
    board: BoardContext,
    sr_id: int,
    documents: Sequence[FoundPassage],
    open_documents: Sequence[FoundPassage],
    issues: Sequence[tuple[int, float]],
) -> None:
    """Keep what was found for an issue."""
    with board.database.transaction() as session:
        row = session.get(IssueRelated, sr_id, with_for_update=True)
        if row is None:
            return
        row.documents, row.open_documents = as_stored(documents), as_stored(open_documents)
        row.issues = [{"issue": number, "score": score} for number, score in issues]
        row.state, row.found_at = "FOUND", board.current_time()


def _is_current(session: Session, row: IssueRelated, digest: str, now: datetime) -> bool:
    if row.state != "FOUND" or row.text_digest != digest or row.found_at is None:
        return False
    if row.found_at < now - _RENEW:
        return False
    newest = select(func.max(Document.updated_at)).where(Document.published_id.is_not(None))
    changed = session.scalar(newest)
    return changed is None or changed <= row.found_at


def _newest(condition: ColumnElement[bool], most: int) -> Select[int]:
    return select(Issue.sr_id).where(condition).order_by(Issue.sr_id.desc()).limit(most)


def _servers(session: Session, issue: Issue) -> list[str | None]:
    query = select(Task.target_server).where(Task.sr_id == issue.sr_id).distinct()
    return list(session.scalars(query)) or [None]


def _documents(session: Session, now: datetime, condition: Any) -> list[int]:
    query = select(Document.document_id).where(rights.in_force(now), condition)
    return list(session.scalars(query))


def _text_of(issue: Issue) -> str:
    return _joined(issue.title, issue.body[:_TEXT])


def _joined(title: str, body: str) -> str:
    return body if body.startswith(title) else f"{title}\n{body}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
