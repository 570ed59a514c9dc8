"""The threads of a worker that index documents and answer questions to them."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

import psycopg

from guardia.board.core.context import BoardContext
from guardia.board.search import index_store, questions
from guardia.board.search.questions import FoundAnswer, FoundPassage, WaitingQuestion
from guardia.db.engine import CONNECTION_OPTIONS, OUTAGE_ERRORS
from guardia.heartbeat.passage_index import PassageIndex
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.knowledge.retrieval.searcher import Searcher, SearchResult

log = logging.getLogger(__name__)

_REFRESH_SECONDS = 3.0
_LISTEN_SECONDS = 5.0
_PAUSE = 1.0
_GRACE = 5.0
_MOST = 8
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
        for thread in self._threads:
            thread.join(_GRACE)
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
            try:
                more = self._index.refresh()
                self._is_ready.set()
                if more:
                    continue
            except OUTAGE_ERRORS as error:
                log.warning("the index of documents waits: %s", type(error).__name__)
            except Exception:
                log.exception("the index of documents could not be refreshed")
            self._closing.wait(self._refresh_seconds)

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
            connection.execute(_PRESENT, [questions.PRESENCE])
            self._answer_waiting()
            while not self._closing.is_set():
                for _ in connection.notifies(timeout=_LISTEN_SECONDS, stop_after=1):
                    self._answer_waiting()

    def _answer_waiting(self) -> None:
        while not self._closing.is_set() and (asked := questions.take(self._board)) is not None:
            questions.answer(self._board, asked.question_id, self._answer(asked))

    def _answer(self, asked: WaitingQuestion) -> FoundAnswer | None:
        begun = time.perf_counter()
        try:
            found = self._search(asked.text, asked.documents, _MOST)
        except OUTAGE_ERRORS:
            raise
        except Exception:
            log.exception("question %s to the documents failed", asked.question_id)
            return None
        took = 1000 * (time.perf_counter() - begun)
        log.info("question %s answered in %.0f ms", asked.question_id, took)
        return found

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
