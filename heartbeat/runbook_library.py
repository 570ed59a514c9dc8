"""The runbooks that agents follow: those of the product, as edited and published by people."""

from __future__ import annotations

import hashlib
import logging
from threading import Lock

from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.core.context import BoardContext
from guardia.board.knowledge import runbooks
from guardia.board.knowledge.runbooks import ReviewedRunbook
from guardia.errors import GuardiaError
from guardia.heartbeat import runbook_checks
from guardia.knowledge.library import Library
from guardia.knowledge.runbook import Runbook, parse

log = logging.getLogger(__name__)


class ReviewedRunbooks:
    """Returns the current library; built again only after a publication. Thread-safe.

    A published version replaces the file of the product with the same id, if its publication is in
    the audit log, its content is what was reviewed, and it passes every check again. Otherwise the
    file applies.
    """

    def __init__(self, board: BoardContext, store: BlobStore, shipped: Library) -> None:
        self._board, self._store, self._shipped = board, store, shipped
        self._lock = Lock()
        self._known: tuple[ReviewedRunbook, ...] = ()
        self._library = shipped

    def __call__(self) -> Library:
        """Return the library as it is now."""
        found = runbooks.reviewed(self._board)
        with self._lock:
            if found != self._known:
                self._library, self._known = self._built(found), found
            return self._library

    def _built(self, found: tuple[ReviewedRunbook, ...]) -> Library:
        proven = runbooks.are_proven(self._board, {one.sha256 for one in found})
        current: dict[str, Runbook] = {one.id: one for one in self._shipped.runbooks}
        earlier: list[Runbook] = list(current.values())
        for one in found:
            runbook = self._read(one) if one.sha256 in proven else None
            if runbook is None:
                log.error("version %s of runbook %s is not used", one.sha256[:12], one.runbook_id)
                continue
            earlier.append(runbook)
            if one.is_current:
                current[one.runbook_id] = runbook
        if all(one in self._shipped.runbooks for one in current.values()):
            return self._shipped  # whose index is built already
        return Library(tuple(current.values()), earlier)

    def _read(self, one: ReviewedRunbook) -> Runbook | None:
        try:
            with self._store.open(one.sha256) as file:
                content = file.read()
            if hashlib.sha256(content).hexdigest() != one.sha256:
                return None
            runbook = parse(content, f"{one.runbook_id}.md")
        except (GuardiaError, UnicodeDecodeError, OSError) as error:
            log.error("runbook %s cannot be read: %s", one.runbook_id, type(error).__name__)
            return None
        return None if runbook_checks.problems(runbook) else runbook
