"""What people say of a passage: that it helped, or that it is wrong."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.core.context import BoardContext
from guardia.board.knowledge import entries, findings, rights, usage
from guardia.board.knowledge.model import Document, DocumentVersion, Passage, PassageRating
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, Missing, NotFound
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.text import trim

VERDICTS = ("helped", "wrong")
_USES: dict[str, usage.Use] = {"helped": "helped", "wrong": "unhelped"}
_MOST_REASON = 1000


@repeat_on_conflict
def rate(
    board: BoardContext,
    person: PersonInfo,
    number: int,
    ordinal: int,
    verdict: str,
    reason: str = "",
) -> None:
    """Say of a passage of the published version that it helped, or why it is wrong.

    A person has one verdict for each passage: a later one replaces it. Raises `NotFound` for what
    the person may not read.
    """
    require_permission(person, "document.read")
    if verdict not in VERDICTS:
        raise Invalid(what=t("documents.rating.title"), why=t("documents.rating.wrong_verdict"))
    why = trim(reason.strip(), _MOST_REASON)
    if verdict == "wrong" and not why:
        raise Missing(what=t("documents.rating.reason"), field="reason")
    now = board.clock()
    with board.database.transaction() as session:
        row = session.execute(
            select(Document, DocumentVersion, Passage.passage_id)
            .join(DocumentVersion, DocumentVersion.version_id == Document.published_id)
            .join(Passage, Passage.version_id == DocumentVersion.version_id)
            .where(
                Document.document_id == number,
                Passage.ordinal == ordinal,
                rights.in_force(board.current_time()),
                rights.readable_by(person),
            )
        ).one_or_none()
        if row is None:
            raise NotFound(what=t("documents.number", number=number))
        document, version, passage = row
        key = {"passage_id": passage, "person_id": person.id}
        rating = session.get(PassageRating, key, with_for_update=True, populate_existing=True)
        before = rating.verdict if rating is not None else None
        if rating is None:
            rating = PassageRating(**key)
            session.add(rating)
        elif (rating.verdict, rating.reason) == (verdict, why):
            return
        rating.verdict, rating.reason, rating.rated_at = verdict, why, now
        _count(session, passage, before, verdict)
        findings.settle_wrong(session, version, rating, now)
        entries.record(
            session,
            EntryKind.DOCUMENT_RATED,
            person,
            now,
            document,
            version=version.number,
            passage=ordinal,
            verdict=verdict,
            reason=why,
        )


def _count(session: Session, passage: int, before: str | None, after: str) -> None:
    if before != after:
        usage.add_uses(session, _USES[after], [passage])
        if before is not None:
            usage.add_uses(session, _USES[before], [passage], -1)
