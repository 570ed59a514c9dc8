"""Card of the documents: answers with and without them, their use, and what needs an update."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.model import Issue
from guardia.board.dashboard.cards import CardFilters, CardTable
from guardia.board.issues.visibility import visible_to
from guardia.board.knowledge import use_view
from guardia.board.knowledge.model import DocumentGap
from guardia.board.knowledge.use_view import SearchTotals, StaleDocument, UsedDocument
from guardia.board.search.model import DocumentQuestion
from guardia.i18n import t
from guardia.org.directory import PersonInfo

_MOST = 5


@dataclass(frozen=True, slots=True)
class UnansweredQuestion:
    """A question of people that no document answered."""

    text: str
    times: int


@dataclass(frozen=True, slots=True)
class UnansweredIssue:
    """An issue for which an agent found neither document nor runbook."""

    sr_id: int
    title: str


@dataclass(frozen=True, slots=True)
class DocumentFigures:
    """How documents served in the period."""

    people: SearchTotals
    agents: SearchTotals
    used: tuple[UsedDocument, ...]
    unused: tuple[UsedDocument, ...]
    stale: tuple[StaleDocument, ...]
    stale_count: int
    questions: tuple[UnansweredQuestion, ...]
    issues: tuple[UnansweredIssue, ...]


class DocumentsCard:
    """Documents that helped, those that did not, and what is missing."""

    name = "documents"
    permission = "document.edit"
    template = "dashboard/documents"
    filters = frozenset({"days"})

    def read(
        self, board: BoardContext, person: PersonInfo, filters: CardFilters
    ) -> DocumentFigures:
        """Read the figures of what the person may read."""
        now = board.current_time()
        begins = filters.begins(now)
        asked = func.lower(DocumentQuestion.question)
        unanswered = (
            select(func.min(DocumentQuestion.question), func.count())
            .where(
                DocumentQuestion.state == "ANSWERED",
                DocumentQuestion.fits.is_(False),
                DocumentQuestion.asked_at >= begins,
            )
            .group_by(asked)
            .order_by(func.count().desc(), asked)
            .limit(_MOST)
        )
        gaps = (
            select(Issue.sr_id, Issue.title)
            .join(DocumentGap, DocumentGap.sr_id == Issue.sr_id)
            .where(DocumentGap.searched_at >= begins, visible_to(person))
            .order_by(DocumentGap.searched_at.desc())
            .limit(_MOST)
        )
        with board.database.reading() as session:
            totals = use_view.answers(session, filters.first_day(now))
            return DocumentFigures(
                people=totals.get("person", SearchTotals()),
                agents=totals.get("agent", SearchTotals()),
                used=tuple(use_view.most_used(session, person, now, _MOST)),
                unused=tuple(use_view.unused(session, person, now, _MOST)),
                stale=tuple(use_view.stale(session, person, now, _MOST)),
                stale_count=use_view.count_stale(session, person, now),
                questions=tuple(UnansweredQuestion(*row) for row in session.execute(unanswered)),
                issues=tuple(UnansweredIssue(*row) for row in session.execute(gaps)),
            )

    def table(self, data: DocumentFigures, filters: CardFilters) -> CardTable:
        """Return a row for each total, document, question and issue of the card."""
        rows: list[tuple[str, str, int]] = []
        for asker, totals in (("people", data.people), ("agents", data.agents)):
            for kind in ("answered", "unanswered"):
                words = t(f"dashboard.documents.{kind}")
                rows.append((t(f"dashboard.documents.{asker}"), words, getattr(totals, kind)))
        for one in data.used:
            uses = one.uses.cited + one.uses.opened + one.uses.helped
            rows.append((t("dashboard.documents.used"), one.title, uses))
        rows += [(t("dashboard.documents.unused"), one.title, 0) for one in data.unused]
        rows += [
            (t("dashboard.documents.stale"), one.title, len(one.reasons)) for one in data.stale
        ]
        rows += [(t("dashboard.documents.questions"), o.text, o.times) for o in data.questions]
        rows += [
            (t("dashboard.documents.issues"), f"{issue_ref(one.sr_id)} {one.title}", 1)
            for one in data.issues
        ]
        names = ("group", "what", "count")
        return CardTable(tuple(t(f"dashboard.documents.{name}") for name in names), tuple(rows))
