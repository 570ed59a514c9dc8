"""The threads of a worker that index documents and answer questions to them."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

import psycopg

from guardia.board.core.context import BoardContext
from guardia.board.search import index_store, questions, related, similarity
from guardia.board.search.questions import FoundAnswer, FoundPassage, WaitingQuestion
from guardia.board.search.related import RelatedWork
from guardia.db.engine import CONNECTION_OPTIONS, OUTAGE_ERRORS
from guardia.heartbeat.passage_index import PassageIndex
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.knowledge.retrieval.searcher import Searcher, SearchResult

log = logging.getLogger(__name__)

_REFRESH_SECONDS = 60.0
"""The index is refreshed when documents change; this only makes up for a lost message."""
_LISTEN_SECONDS = 5.0
_PAUSE = 1.0
_GRACE = 5.0
_MOST = 8
_MOST_SIMILAR = 10
_PRESENT = "select pg_advisory_lock_shared(hashtextextended(%s, 0))"


class SearchThreads:
    """Answers from the beginning of the block to its end."""

    def __init__(
        self,
        settings: Settings,
        board: BoardContext,
        closing: threading.Event,
        refresh_seconds: float = _REFRESH_SECONDS,
    ) -> None:
        self._board, self._closing = board, closing
        self._refresh_seconds = refresh_seconds
        self._index = PassageIndex(board, settings.search_model, closing)
        self._is_ready = threading.Event()
        self._has_changed = threading.Event()
        self._composing = ThreadPoolExecutor(1, "compose")
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (("search-index", self._keep_index), ("search", self._serve))
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._has_changed.set()
        # The listener looks at nothing but messages.
        with suppress(*OUTAGE_ERRORS):
            index_store.announce(self._board)
        for thread in self._threads:
            thread.join(_GRACE)
        self._composing.shutdown(wait=False, cancel_futures=True)
        self._index.close()

    def has_ended(self) -> bool:
        """Return whether a thread has ended on its own."""
        alive = all(thread.is_alive() for thread in self._threads)
        return not self._closing.is_set() and not alive

    def find(
        self, text: str, institution: str | None, server: str | None, most: int
    ) -> tuple[FoundPassage, ...]:
        """Return the passages that an agent may use for its work; none if nothing fits."""
        documents = index_store.usable_documents(self._board, institution, server)
        found = self._search(text, documents, most)
        return found.passages if found.fits else ()

    # --- index ------------------------------------------------------------------------------

    def _keep_index(self) -> None:
        while not self._closing.is_set():
            self._has_changed.clear()
            try:
                more = self._index.refresh()
                self._is_ready.set()
                if more:
                    continue
            except OUTAGE_ERRORS as error:
                log.warning("the index of documents waits: %s", type(error).__name__)
            except Exception:
                log.exception("the index of documents could not be refreshed")
            self._has_changed.wait(self._refresh_seconds)

    # --- questions --------------------------------------------------------------------------

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                self._listen()
            except OUTAGE_ERRORS as error:
                log.warning("questions to documents wait: %s", type(error).__name__)
            except Exception:
                log.exception("answering questions to documents failed")
            self._closing.wait(_PAUSE)

    def _listen(self) -> None:
        """Announce that this worker answers, and answer until the worker closes."""
        while not self._is_ready.wait(_PAUSE):
            if self._closing.is_set():
                return
        dsn = self._board.database.dsn
        with psycopg.connect(dsn, autocommit=True, **CONNECTION_OPTIONS) as connection:
            connection.execute(f"listen {questions.CHANNEL}")
            connection.execute(f"listen {index_store.CHANNEL}")
            connection.execute(_PRESENT, [questions.PRESENCE])
            self._has_changed.set()
            self._answer_waiting()
            while not self._closing.is_set():
                for message in connection.notifies(timeout=_LISTEN_SECONDS, stop_after=1):
                    if message.channel == index_store.CHANNEL:
                        self._has_changed.set()
                    else:
                        self._answer_waiting()

    def _answer_waiting(self) -> None:
        """Answer questions, and between them find what is related to issues."""
        while not self._closing.is_set():
            asked, work = questions.take(self._board), None
            if asked is not None:
                self._answer_one(asked)
            elif (work := related.take(self._board)) is not None:
                self._relate(work)
            if asked is None and work is None:
                return

    def _answer_one(self, asked: WaitingQuestion) -> None:
        found = self._answer(asked)
        questions.answer(self._board, asked.question_id, found)
        if found is not None and found.composing:
            self._composing.submit(self._compose, asked, found)

    def _relate(self, work: RelatedWork) -> None:
        """Find what is related to an issue: documents for each kind of reader, similar issues."""
        found = [
            answer.passages if answer.fits else ()
            for answer in (
                self._search(work.text, documents, _MOST)
                for documents in (work.staff_documents, work.open_documents)
            )
        ]
        past = related.past_issues(self._board, work.sr_id)
        own = {one.sr_id: one.text for one in past if one.is_same_institution}
        every = {one.sr_id: one.text for one in past}
        # Customers see their institution's only, so those of others must not take their place.
        near = dict(
            chosen
            for texts in (every, own)
            for chosen in similarity.most_similar(work.text, texts, _MOST_SIMILAR)
        )
        ordered = sorted(near.items(), key=lambda one: (-one[1], -one[0]))
        related.settle(self._board, work.sr_id, found[0], found[1], ordered)

    def _compose(self, asked: WaitingQuestion, found: FoundAnswer) -> None:
        """Compose an answer from the passages; they are shown already, so nothing waits for it."""
        from guardia.agents import composer

        sentences: tuple[tuple[str, int], ...] = ()
        searcher = self._index.searcher
        try:
            if searcher is not None:
                texts = {p.passage_id: searcher.body(p.passage_id) for p in found.passages}
                sentences = composer.compose(self._board, asked.text, texts)
        except Exception:
            log.exception("no answer to question %s could be composed", asked.question_id)
        questions.add_composed(self._board, asked.question_id, sentences)

    def _answer(self, asked: WaitingQuestion) -> FoundAnswer | None:
        begun = time.perf_counter()
        try:
            found = self._search(asked.text, asked.documents, _MOST)
            if found.fits:
                found = replace(found, composing=self._may_compose())
        except OUTAGE_ERRORS:
            raise
        except Exception:
            log.exception("question %s to the documents failed", asked.question_id)
            return None
        took = 1000 * (time.perf_counter() - begun)
        log.info("question %s answered in %.0f ms", asked.question_id, took)
        return found

    def _may_compose(self) -> bool:
        from guardia.agents import composer

        return composer.composes(self._board)

    def _search(self, text: str, documents: list[int], most: int) -> FoundAnswer:
        searcher = self._index.searcher
        if searcher is None:
            return FoundAnswer((), False, 0.0)
        result = searcher.search(text, groups=documents, most=most)
        passages = tuple(_passage(searcher, result, at) for at in range(len(result.hits)))
        return FoundAnswer(passages, result.fits, result.confidence)


def _passage(searcher: Searcher, result: SearchResult, at: int) -> FoundPassage:
    from guardia.knowledge.retrieval.quoting import quotes

    hit = result.hits[at]
    body = searcher.body(hit.key)
    return FoundPassage(
        hit.key, round(hit.score, 4), tuple(quotes(body, result.wanted, searcher.weight))
    )
