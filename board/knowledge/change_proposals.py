"""Propose changes of documents from ended issues that cite them; people review them.

An issue that people solved in another way than the document says, or on which the document as a
runbook failed, becomes a section of a new version. One proposal of a document waits at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from sqlalchemy import and_, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.artifacts.blob_store import BlobStore, Incoming
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue
from guardia.board.knowledge import contents, records
from guardia.board.knowledge.change_text import IssueLesson, changed
from guardia.board.knowledge.model import (
    Document,
    DocumentChange,
    DocumentVersion,
    IssueCitation,
    Passage,
)
from guardia.board.knowledge.records import NewFile
from guardia.board.knowledge.solved_issues import read_issue
from guardia.db.engine import repeat_on_conflict
from guardia.errors import GuardiaError
from guardia.i18n import t_default
from guardia.personal_numbers import mask_resident_numbers

_AT_ONCE = 100
_MOST_LESSONS = 5
_ENDED = (State.COMPLETED.value, State.FAILED_ROLLBACK.value, State.ROLLED_BACK.value)
_TEXT_FORMATS = {"markdown": ".md", "text": ".txt"}


@dataclass(frozen=True, slots=True)
class _Draft:
    """A change that is about to be proposed."""

    number: int
    published_id: int
    file: NewFile
    text: str
    """Empty: there is nothing to propose."""
    agent: str
    settled: tuple[tuple[int, str], ...]
    """Issues with their reason that lead to it, or to nothing."""
    sources: frozenset[tuple[int, str]]
    """Those that lead to it."""


def note(session: Session, numbers: Collection[int], now: datetime) -> None:
    """Note ended issues: what they cite may need a change."""
    cited = (
        select(DocumentVersion.document_id, IssueCitation.sr_id, literal("otherwise"), literal(now))
        .join(Passage, Passage.passage_id == IssueCitation.passage_id)
        .join(DocumentVersion, DocumentVersion.version_id == Passage.version_id)
        .where(IssueCitation.sr_id.in_(numbers), IssueCitation.outcome.in_(["helped", "unhelped"]))
        .distinct()
    )
    columns = ["document_id", "sr_id", "reason", "noted_at"]
    statement = insert(DocumentChange).from_select(columns, cited)
    session.execute(statement.on_conflict_do_nothing())


def note_failure(session: Session, number: int, sr_id: int, now: datetime) -> None:
    """Note that a document failed as the runbook of an issue."""
    values = {"document_id": number, "sr_id": sr_id, "reason": "verification", "noted_at": now}
    session.execute(insert(DocumentChange).values(**values).on_conflict_do_nothing())


def withdraw(session: Session, number: int, published: int) -> list[int]:
    """Take back what waits for review, since another version was published; return its numbers.

    It would undo what was published. It is proposed again, as a change of the published version.
    """
    proposed = select(DocumentChange.version_id).where(
        DocumentChange.document_id == number, DocumentChange.version_id != published
    )
    withdrawn = session.execute(
        update(DocumentVersion)
        .where(
            DocumentVersion.document_id == number,
            DocumentVersion.review == "IN_REVIEW",
            DocumentVersion.version_id.in_(proposed),
        )
        .values(review="SUPERSEDED")
        .returning(DocumentVersion.version_id, DocumentVersion.number)
    ).all()
    session.execute(
        update(DocumentChange)
        .where(DocumentChange.version_id.in_([row[0] for row in withdrawn]))
        .values(version_id=None, settled_at=None)
    )
    return sorted(row[1] for row in withdrawn)


def propose_due(board: BoardContext, store: BlobStore) -> None:
    """Propose a change of each document whose issues ended in a way that it does not describe."""
    for number, sources in _due(board).items():
        draft = _draft(board, store, number, sources[:_MOST_LESSONS])
        if draft is not None:
            _propose(board, store, draft)


def _due(board: BoardContext) -> dict[int, list[tuple[int, str]]]:
    """Return documents with ended issues, of which no version waits for review."""
    waiting = select(DocumentVersion.version_id).where(
        DocumentVersion.document_id == DocumentChange.document_id,
        DocumentVersion.review == "IN_REVIEW",
    )
    query = (
        select(DocumentChange.document_id, DocumentChange.sr_id, DocumentChange.reason)
        .join(Issue, Issue.sr_id == DocumentChange.sr_id)
        .join(Document, Document.document_id == DocumentChange.document_id)
        .where(
            DocumentChange.settled_at.is_(None),
            Document.state == "PUBLISHED",
            Issue.closed_at.is_not(None),
            Issue.status.in_(_ENDED),
            or_(DocumentChange.reason != "otherwise", Issue.status == State.COMPLETED.value),
            ~waiting.exists(),
        )
        .order_by(DocumentChange.document_id, DocumentChange.sr_id, DocumentChange.reason)
        .limit(_AT_ONCE)
    )
    found: dict[int, list[tuple[int, str]]] = defaultdict(list)
    with board.database.reading() as session:
        for number, sr_id, reason in session.execute(query):
            found[number].append((sr_id, reason))
    return found


def _draft(
    board: BoardContext, store: BlobStore, number: int, sources: Sequence[tuple[int, str]]
) -> _Draft | None:
    with board.database.reading() as session:
        document = session.get_one(Document, number)
        version = session.get(DocumentVersion, document.published_id)
        if version is None or version.reading != "READ":
            return None
        lessons = [
            one
            for sr_id, reason in sources
            if (one := _lesson(session, document, sr_id, reason)) is not None
        ]
    text = _original(store, version) if lessons else ""
    refs = ", ".join(issue_ref(one.issue.sr_id) for one in lessons)
    ending = _TEXT_FORMATS.get(version.format)
    name = version.file_name if ending else f"{PurePosixPath(version.file_name).stem}.md"
    return _Draft(
        number=number,
        published_id=version.version_id,
        file=NewFile(name, t_default("documents.change.comment", refs=refs)),
        text=mask_resident_numbers(changed(text, lessons)) if lessons else "",
        agent=lessons[0].issue.agent if lessons else "",
        settled=tuple(sources),
        sources=frozenset((one.issue.sr_id, one.reason) for one in lessons),
    )


def _lesson(session: Session, document: Document, sr_id: int, reason: str) -> IssueLesson | None:
    """Return what an issue taught; `None`: nothing, or nothing that the document may say."""
    issue = read_issue(session, session.get_one(Issue, sr_id))
    is_known = bool(issue.steps or issue.result or issue.failures)
    if (reason == "otherwise" and not issue.is_by_people) or not is_known:
        return None
    if not _may_tell(document, issue.institution):
        return None
    return IssueLesson(issue, reason, _cited_section(session, document, sr_id))


def _may_tell(document: Document, institution: str | None) -> bool:
    """Return whether a document may tell of an issue: never to customers of another institution."""
    if document.inst_id is not None:
        return document.inst_id == institution
    return document.audience == "roles" and "customer" not in document.roles


def _cited_section(session: Session, document: Document, sr_id: int) -> tuple[str, ...]:
    """Return the headings of the first passage that an issue cites; none for a runbook."""
    if document.kind == "runbook":
        return ()
    query = (
        select(Passage.heading_path)
        .join(IssueCitation, IssueCitation.passage_id == Passage.passage_id)
        .join(DocumentVersion, DocumentVersion.version_id == Passage.version_id)
        .where(IssueCitation.sr_id == sr_id, DocumentVersion.document_id == document.document_id)
        .order_by(Passage.version_id.desc(), Passage.ordinal)
        .limit(1)
    )
    return tuple(session.scalar(query) or ())


def _original(store: BlobStore, version: DocumentVersion) -> str:
    """Return a text as it was written, with its front matter; of other formats what was read."""
    if version.format in _TEXT_FORMATS:
        try:
            with store.open(version.sha256) as stream:
                return stream.read().decode("utf-8-sig")
        except (GuardiaError, UnicodeDecodeError):
            pass  # on another host, or in another encoding: what was read from it
    return version.body


def _propose(board: BoardContext, store: BlobStore, draft: _Draft) -> None:
    if not draft.text:
        _add(board, store, draft, None)
        return
    with contents.receive_bytes(board, store, draft.text.encode()) as incoming:
        _add(board, store, draft, incoming)


@repeat_on_conflict
def _add(board: BoardContext, store: BlobStore, draft: _Draft, incoming: Incoming | None) -> None:
    now = board.clock()
    with board.database.transaction() as session:
        row = session.get(Document, draft.number, with_for_update=True, populate_existing=True)
        waiting = select(func.count()).where(
            DocumentVersion.document_id == draft.number, DocumentVersion.review == "IN_REVIEW"
        )
        if row is None or row.published_id != draft.published_id or session.scalar(waiting):
            return  # it has changed meanwhile; the next look begins with what it is then
        open_rows = _locked(session, draft)
        if len(open_rows) != len(draft.settled):
            return  # another host was first
        for one in open_rows:
            one.settled_at = now
        if incoming is None:
            return
        by = Actor.agent(draft.agent)
        number = records.add_version_within(
            session, store, by, row, draft.file, incoming, now, submit=True
        )
        version = records.find_version(session, draft.number, number).version_id
        for one in open_rows:
            if (one.sr_id, one.reason) in draft.sources:
                one.version_id = version


def _locked(session: Session, draft: _Draft) -> list[DocumentChange]:
    keys = [
        and_(DocumentChange.sr_id == sr_id, DocumentChange.reason == reason)
        for sr_id, reason in draft.settled
    ]
    query = select(DocumentChange).where(
        DocumentChange.document_id == draft.number, DocumentChange.settled_at.is_(None), or_(*keys)
    )
    return list(
        session.scalars(
            query.order_by(DocumentChange.sr_id, DocumentChange.reason).with_for_update()
        )
    )
