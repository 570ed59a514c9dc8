"""Questions to the documents: a page asks, a worker answers, since only workers load models."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.knowledge import usage
from guardia.board.search import index_store
from guardia.board.search.model import DocumentQuestion
from guardia.db import events
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Missing, Unserved
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Person
from guardia.text import trim

CHANNEL = "guardia_search"
"""Announces questions to the workers."""
PRESENCE = "guardia-search"
"""Name of the shared lock that each worker holds which answers questions."""
MOST_CHARACTERS = 1000
PERMISSION = "document.read"
_MOST_WAITING = 20
"""Questions of one person that may wait at the same time."""
_PAUSE = 0.005
_IS_WAITING = """
    select state in ('WAITING', 'TAKEN') from tb_document_question where question_id = %(id)s
"""
_HAS_WORKER = """
    select exists (
        select from pg_locks
        where locktype = 'advisory' and mode = 'ShareLock' and granted
          and database = (select oid from pg_database where datname = current_database())
          and (classid::bigint << 32) | objid::bigint = hashtextextended(%(name)s, 0))
"""


@dataclass(frozen=True, slots=True)
class WaitingQuestion:
    """A question as a worker takes it."""

    question_id: int
    text: str
    asker: PersonInfo
    documents: list[int]
    """The documents that the asker may read."""


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage that a worker has found, with the parts to quote."""

    passage_id: int
    score: float
    quotes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class FoundAnswer:
    """What a worker answers."""

    passages: tuple[FoundPassage, ...]
    fits: bool
    confidence: float
    composing: bool = False
    """Whether a composed answer may follow."""


def has_worker(board: BoardContext) -> bool:
    """Return whether a worker answers questions now."""
    return bool(board.database.glance(_HAS_WORKER, {"name": PRESENCE})[0])


@repeat_on_conflict
def ask(board: BoardContext, person: PersonInfo, text: str) -> int:
    """Ask a question; return its number.

    Raises `Forbidden`, `Missing`, or `Unserved` while too many questions of this person wait.
    """
    require_permission(person, PERMISSION)
    question = trim(" ".join(text.split()), MOST_CHARACTERS)
    if not question:
        raise Missing(what=t("search.question"))
    now = board.current_time()
    with board.database.transaction() as session:
        if _waiting(session, person) >= _MOST_WAITING:
            raise Unserved(why=t("search.too_many", most=_MOST_WAITING))
        row = DocumentQuestion(person_id=person.id, question=question, asked_at=now)
        session.add(row)
        session.flush()
        events.send(session, CHANNEL, str(row.question_id))
        return row.question_id


def _waiting(session: Session, person: PersonInfo) -> int:
    """Return how many of a person's newest questions wait."""
    newest = (
        select(DocumentQuestion.state)
        .where(DocumentQuestion.person_id == person.id)
        .order_by(DocumentQuestion.question_id.desc())
        .limit(_MOST_WAITING)
        .subquery()
    )
    query = select(func.count()).where(newest.c.state.in_(["WAITING", "TAKEN"]))
    return int(session.scalar(query) or 0)


def wait(board: BoardContext, question_id: int, seconds: float) -> bool:
    """Wait until a question is answered; return whether it is."""
    deadline = time.monotonic() + seconds
    while True:
        row = board.database.glance(_IS_WAITING, {"id": question_id})
        if row is None or not row[0]:
            return row is not None
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)


@repeat_on_conflict
def take(board: BoardContext) -> WaitingQuestion | None:
    """Take the oldest waiting question, or return `None`. Each is taken by one worker."""
    with board.database.transaction() as session:
        row = session.scalar(
            select(DocumentQuestion)
            .where(DocumentQuestion.state == "WAITING")
            .order_by(DocumentQuestion.question_id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if row is None:
            return None
        row.state = "TAKEN"
        person = session.get(Person, row.person_id)
        if person is None or not person.active:
            row.state, row.answered_at = "FAILED", board.current_time()
            return None
        asker = person.as_info()
        documents = index_store.readable_documents(session, asker, board.current_time())
        return WaitingQuestion(row.question_id, row.question, asker, documents)


@repeat_on_conflict
def answer(board: BoardContext, question_id: int, found: FoundAnswer | None) -> None:
    """Keep the answer to a question; `None`: it failed."""
    with board.database.transaction() as session:
        row = session.get(DocumentQuestion, question_id, with_for_update=True)
        if row is None or row.state in ("ANSWERED", "FAILED"):
            return
        row.state, row.answered_at = "FAILED", board.current_time()
        if found is None:
            return
        row.state, row.fits, row.confidence = "ANSWERED", found.fits, found.confidence
        row.passages = as_stored(found.passages)
        row.composing = found.composing
        usage.count_answer(session, board, "person", is_answered=found.fits)
        if found.fits:
            usage.add_uses(session, "found", [one.passage_id for one in found.passages])


@repeat_on_conflict
def add_composed(
    board: BoardContext, question_id: int, sentences: Sequence[tuple[str, int]]
) -> None:
    """Keep a composed answer whose sentences were compared with the passages; it may be empty."""
    with board.database.transaction() as session:
        row = session.get(DocumentQuestion, question_id, with_for_update=True)
        if row is None or not row.composing:
            return
        row.composing = False
        row.answer = [{"text": text, "passage": number} for text, number in sentences]


def as_stored(passages: Sequence[FoundPassage]) -> list[dict[str, Any]]:
    """Return found passages as rows keep them."""
    return [
        {"passage": p.passage_id, "score": p.score, "quotes": [list(q) for q in p.quotes]}
        for p in passages
    ]
