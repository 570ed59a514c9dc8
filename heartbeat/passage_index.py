"""A worker's index of the published passages: built beside the work, replaced when they change."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from guardia.board.core.context import BoardContext
from guardia.board.search import index_store
from guardia.board.search.index_store import Fingerprint, IndexRow, SearchedPassage
from guardia.db.leadership import Leadership
from guardia.errors import Misconfigured

if TYPE_CHECKING:
    from guardia.knowledge.retrieval.encoder import Encoder
    from guardia.knowledge.retrieval.searcher import Searcher
    from guardia.knowledge.retrieval.vectors import Scores

log = logging.getLogger(__name__)

_STEP = 128
_BATCH = 16
"""Texts that are stored together: what a worker that dies has to encode again at most."""


class PassageIndex:
    """Holds the newest searcher: one thread refreshes it, any thread may search with it."""

    def __init__(self, board: BoardContext, model: Path | None, closing: threading.Event) -> None:
        self._board, self._folder, self._closing = board, model, closing
        self._leadership = Leadership(board.database.dsn, index_store.LOCK)
        self._encoder: Encoder | None = None
        self._is_loaded = False
        self._built: Fingerprint | None = None
        self._searcher: Searcher | None = None

    @property
    def searcher(self) -> Searcher | None:
        """The newest searcher; `None` before the first one was built."""
        return self._searcher

    def refresh(self) -> bool:
        """Bring the index up to date by one step; return whether more can be done at once.

        While nothing was ever published, nothing is loaded: a worker of a site without documents
        stays small.
        """
        seen = index_store.fingerprint(self._board)
        if seen == self._built or (seen[0] == 0 and self._searcher is None):
            return False
        if not self._is_loaded:
            self._load()
        passages = index_store.published(self._board)
        self._replace(passages)
        texts = {passage.sha256: passage.text for passage in passages}
        known = index_store.digests_of(self._board, self._model)
        missing = [digest for digest in texts if digest not in known]
        unused = known - texts.keys()
        self._built = None if missing else seen
        if not missing and not unused:
            return False
        # The list that is searched grows in steps, so that it is rebuilt seldom.
        step = missing[: max(_STEP, len(known))]
        if not self._index([(digest, texts[digest]) for digest in step], unused):
            return False
        self._replace(passages)
        return True

    def close(self) -> None:
        """Give the right to index to another worker."""
        self._leadership.release()

    @property
    def _model(self) -> str:
        return self._encoder.model if self._encoder is not None else ""

    def _load(self) -> None:
        from guardia.knowledge.retrieval.loading import load_encoder

        try:
            self._encoder = load_encoder(self._folder)
        except Misconfigured as error:
            # Search goes on with words, and the log says what people have to mend.
            log.error("search by meaning is off: %s", error)
        self._is_loaded = True

    def _replace(self, passages: list[SearchedPassage]) -> None:
        from guardia.knowledge.retrieval.searcher import Entry, Searcher

        texts = {passage.passage_id: passage.sha256 for passage in passages}
        rows = index_store.rows_of(self._board, self._model, texts.values())
        entries = [
            Entry(p.passage_id, p.document_id, p.text, row.words, _unpacked(row.vector), p.body_at)
            for p in passages
            if (row := rows.get(texts[p.passage_id])) is not None
        ]
        self._searcher = Searcher(entries, self._encoder)

    def _index(self, texts: list[tuple[str, str]], unused: set[str]) -> bool:
        """Index texts, unless another worker does; return whether this one has."""
        if not self._leadership.acquire():
            return False
        try:
            self._store(texts)
            index_store.forget(self._board, self._model, unused)
        finally:
            self._leadership.release()
        if texts:
            index_store.announce(self._board)
        return bool(texts)

    def _store(self, texts: list[tuple[str, str]]) -> None:
        from guardia.knowledge.korean import tokens

        for at in range(0, len(texts), _BATCH):
            rows = []
            for digest, text in texts[at : at + _BATCH]:
                if self._closing.is_set():
                    return
                # One at a time: a question waits for at most one passage.
                rows.append(IndexRow(digest, tuple(tokens(text)), self._vector(text)))
            index_store.store(self._board, self._model, rows)

    def _vector(self, text: str) -> bytes | None:
        if self._encoder is None:
            return None
        return bytes(self._encoder.passages([text])[0].astype("<f2").tobytes())


def _unpacked(vector: bytes | None) -> Scores | None:
    import numpy as np

    return None if vector is None else np.frombuffer(vector, "<f2").astype(np.float32)
