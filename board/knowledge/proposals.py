"""Propose documents from solved issues for which there was none; people review them."""

from __future__ import annotations

from sqlalchemy import select

from guardia.board.artifacts.blob_store import BlobStore, Incoming
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue
from guardia.board.knowledge import contents, records
from guardia.board.knowledge.change_text import quoted
from guardia.board.knowledge.model import DocumentGap
from guardia.board.knowledge.policy import DocumentDetails
from guardia.board.knowledge.records import NewFile
from guardia.board.knowledge.solved_issues import SolvedIssue, read_issue
from guardia.db.engine import repeat_on_conflict
from guardia.i18n import t_default
from guardia.personal_numbers import mask_resident_numbers
from guardia.text import MAX_TITLE, trim

_AT_ONCE = 20


def propose_due(board: BoardContext, store: BlobStore) -> None:
    """Propose a document for each solved issue for which an agent had found none."""
    for sr_id in _due(board):
        propose(board, store, sr_id)


def propose(board: BoardContext, store: BlobStore, sr_id: int) -> int | None:
    """Hand a document about a solved issue in for review; return its number.

    `None` if there is nothing to write, or if one was proposed already.
    """
    with board.database.reading() as session:
        solved = read_issue(session, session.get_one(Issue, sr_id))
    content = mask_resident_numbers(text_of(solved)).encode()
    if not solved.steps and not solved.result:
        return _add(board, store, solved, None)
    with contents.receive_bytes(board, store, content) as incoming:
        return _add(board, store, solved, incoming)


def text_of(solved: SolvedIssue) -> str:
    """Return the text of a document about an issue, in Markdown, with its source. Pure."""
    ref = issue_ref(solved.sr_id)
    parts = [
        (t_default("documents.proposal.symptom"), quoted(solved.request)),
        (t_default("documents.proposal.steps"), "\n\n".join(map(quoted, solved.steps))),
        (t_default("documents.proposal.result"), quoted(solved.result)),
        (t_default("documents.proposal.source"), f"- [{ref}](/issues/{solved.sr_id})"),
    ]
    sections = [f"## {title}\n\n{text}\n" for title, text in parts if text]
    return "\n".join([f"# {' '.join(solved.title.split())}\n", *sections])


def _due(board: BoardContext) -> list[int]:
    query = (
        select(DocumentGap.sr_id)
        .join(Issue, Issue.sr_id == DocumentGap.sr_id)
        .where(DocumentGap.proposed_at.is_(None), Issue.status == State.COMPLETED.value)
        .order_by(DocumentGap.sr_id)
        .limit(_AT_ONCE)
    )
    with board.database.reading() as session:
        return list(session.scalars(query))


@repeat_on_conflict
def _add(
    board: BoardContext, store: BlobStore, solved: SolvedIssue, incoming: Incoming | None
) -> int | None:
    now = board.clock()
    with board.database.transaction() as session:
        gap = session.get(DocumentGap, solved.sr_id, with_for_update=True, populate_existing=True)
        if gap is None or gap.proposed_at is not None:
            return None
        gap.proposed_at = now
        if incoming is None:
            return None
        title = trim(" ".join(solved.title.split()), MAX_TITLE) or issue_ref(solved.sr_id)
        details = DocumentDetails(title, institution=solved.institution)
        name = f"{issue_ref(solved.sr_id)}.md"
        comment = t_default("documents.proposal.comment", ref=issue_ref(solved.sr_id))
        file = NewFile(name, comment, source=f"issue:{solved.sr_id}")
        return records.add_within(
            session, store, Actor.agent(solved.agent), details, file, incoming, now, submit=True
        )
