"""Count how documents are used: found, opened, cited, and whether they helped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Literal

from sqlalchemy import Select, case, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.core.labels import SEOUL
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue
from guardia.board.knowledge import change_proposals
from guardia.board.knowledge.model import (
    AnswerDay,
    Document,
    DocumentGap,
    DocumentVersion,
    IssueCitation,
    Passage,
    PassageUse,
)
from guardia.db.engine import repeat_on_conflict

Use = Literal["found", "opened", "cited", "helped", "unhelped"]
_ISSUES_AT_ONCE = 500


def add_uses(session: Session, use: Use, passages: Collection[int], amount: int = 1) -> None:
    """Count a use of passages, in one statement; the totals of their documents follow."""
    if not passages:
        return
    # In the order of the rows that the trigger locks.
    chosen = (
        select(Passage.passage_id, DocumentVersion.document_id, literal(amount))
        .join(DocumentVersion, DocumentVersion.version_id == Passage.version_id)
        .where(Passage.passage_id.in_(passages))
        .order_by(DocumentVersion.document_id, Passage.passage_id)
    )
    statement = insert(PassageUse).from_select(["passage_id", "document_id", use], chosen)
    column = getattr(PassageUse, use)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["passage_id"],
            set_={use: func.greatest(0, column + statement.excluded[use])},
        )
    )


def count_answer(
    session: Session, board: BoardContext, asker: Literal["person", "agent"], *, is_answered: bool
) -> None:
    """Count a search of today, and whether it found something."""
    name = "answered" if is_answered else "unanswered"
    day = board.current_time().astimezone(SEOUL).date()
    statement = insert(AnswerDay).values(day=day, asker=asker, **{name: 1})
    column = getattr(AnswerDay, name)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["day", "asker"], set_={name: column + statement.excluded[name]}
        )
    )


@repeat_on_conflict
def cite(
    board: BoardContext, sr_id: int, passages: Collection[int], runbook: str | None = None
) -> None:
    """Note what an agent cites for an issue, or that it found neither document nor runbook.

    Another attempt at the same issue counts only what it cites in addition. A runbook that is a
    document is cited as a whole, by its first passage.
    """
    now = board.current_time()
    with board.database.transaction() as session:
        is_answered = bool(passages) or runbook is not None
        count_answer(session, board, "agent", is_answered=is_answered)
        if not is_answered:
            gap = insert(DocumentGap).values(sr_id=sr_id, searched_at=now)
            session.execute(gap.on_conflict_do_nothing())
            return
        cited = set(passages)
        if runbook is not None:
            cited.update(session.scalars(_beginning_of(runbook)))
        if not cited:
            return
        rows = [{"sr_id": sr_id, "passage_id": one, "cited_at": now} for one in sorted(cited)]
        added = session.scalars(
            insert(IssueCitation).on_conflict_do_nothing().returning(IssueCitation.passage_id),
            rows,
        ).all()
        add_uses(session, "cited", added)


def _beginning_of(runbook: str) -> Select[int]:
    return (
        select(Passage.passage_id)
        .join(Document, Document.published_id == Passage.version_id)
        .where(Document.runbook_id == runbook, Passage.ordinal == 1)
    )


@repeat_on_conflict
def settle_citations(board: BoardContext) -> None:
    """Count for ended issues whether what they cite has helped; called once a minute."""
    with board.database.transaction() as session:
        ended = (
            select(IssueCitation.sr_id, Issue.status)
            .join(Issue, Issue.sr_id == IssueCitation.sr_id)
            .where(IssueCitation.outcome.is_(None), Issue.closed_at.is_not(None))
            .order_by(IssueCitation.sr_id)
            .limit(_ISSUES_AT_ONCE)
        )
        numbers = {row[0] for row in session.execute(ended)}
        if not numbers:
            return
        outcome = case(
            (Issue.status == State.COMPLETED.value, "helped"),
            (Issue.status.in_([State.FAILED_ROLLBACK.value, State.ROLLED_BACK.value]), "unhelped"),
            else_="unused",
        )
        settled = session.execute(
            update(IssueCitation)
            .where(
                IssueCitation.sr_id.in_(numbers),
                IssueCitation.outcome.is_(None),
                Issue.sr_id == IssueCitation.sr_id,
            )
            .values(outcome=outcome)
            .returning(IssueCitation.passage_id, IssueCitation.outcome)
        ).all()
        change_proposals.note(session, numbers, board.current_time())
        uses: tuple[Use, ...] = ("helped", "unhelped")
        for use in uses:
            counts = Counter(row[0] for row in settled if row[1] == use)
            for amount in sorted(set(counts.values())):
                add_uses(session, use, [one for one in counts if counts[one] == amount], amount)
