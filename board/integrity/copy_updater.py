"""Update a copy of the checkpoints, and look whether it is as it was left."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue

from guardia.board.audit import log as audit_log
from guardia.board.audit.checkpoint import Checkpoint
from guardia.board.core.context import BoardContext
from guardia.board.integrity.witness_memory import CopyEnd
from guardia.board.integrity.witnesses import CheckpointCopy
from guardia.db.engine import OUTAGE_ERRORS
from guardia.errors import Refused
from guardia.i18n import t

log = logging.getLogger(__name__)

_COPY_TIMEOUT = 5.0
"""Seconds to wait for a copy before work continues without it."""
_IDLE = 10.0
_BATCH = 2000


@dataclass(frozen=True, slots=True)
class _Turn:
    """Something to do at a copy's place."""

    act: Callable[[], None]
    done: threading.Event = field(default_factory=threading.Event)


class CopyUpdater:
    """Keeps one copy up to date: in a thread, because a dead network mount hangs forever.

    The installation's own copy needs none: it is beside the memory of the witnesses, which is
    read and written without a thread as well.
    """

    def __init__(self, folder: Path, *, own: bool) -> None:
        self.folder = folder
        self._is_own = own
        self._copy = CheckpointCopy(folder)
        self._turns: SimpleQueue[_Turn] = SimpleQueue()
        self._turn: _Turn | None = None
        self._has_thread = False
        self._starting = threading.Lock()
        self._lock = threading.Lock()
        self._why: str | None = None
        self._fault: str | None = None
        self.end: CopyEnd | None = None
        """Where the last line was after the last update."""
        self._last_reported: str | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self._copy.path

    def update(self, board: BoardContext, newest: Checkpoint | None) -> str | None:
        """Add what the copy lacks up to `newest`. Returns the problem if it is new, or `None`."""
        with self._lock:
            why = (
                self._why
                if self._waits_for(lambda: self._run(board, newest))
                else t("audit.copy_slow")
            )
            new, self._last_reported = why != self._last_reported, why
            return why if new else None

    def check(self, known: CopyEnd) -> str | None:
        """Return how the copy differs from when its end was last known, or `None`.

        A place that does not answer is no fault of the copy; the next update reports it.
        """
        with self._lock:
            self._fault = None
            return self._fault if self._waits_for(lambda: self._check(known)) else None

    def _waits_for(self, act: Callable[[], None]) -> bool:
        """Return whether `act` ended in time. While an earlier one hangs, none is begun."""
        if self._is_own:
            self._try(act)
            return True
        if self._turn is None or self._turn.done.is_set():
            self._turn = _Turn(act)
            with self._starting:
                self._turns.put(self._turn)
                if not self._has_thread:
                    # A daemon, because a hanging one never ends.
                    threading.Thread(target=self._take_turns, daemon=True).start()
                    self._has_thread = True
        # Once the place is known to hang, it is not waited for again.
        is_slow = self._last_reported == t("audit.copy_slow")
        return self._turn.done.wait(0 if is_slow else _COPY_TIMEOUT)

    def _take_turns(self) -> None:
        """Take turns until there was none for a while: a busy process needs one thread only."""
        while True:
            try:
                turn = self._turns.get(timeout=_IDLE)
            except Empty:
                with self._starting:
                    if self._turns.empty():
                        self._has_thread = False
                        return
                continue
            self._try(turn.act)
            turn.done.set()

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception:
            log.exception("checkpoint copy %s", self.folder)

    def _check(self, known: CopyEnd) -> None:
        try:
            self._fault = self._copy.find_fault(known)
        except OSError as error:
            log.warning("checkpoint copy %s: %s", self.folder, error.strerror)

    def _run(self, board: BoardContext, newest: Checkpoint | None) -> None:
        self._why = None
        try:
            if self._is_own:
                self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            self.end = self._copy.extend(lambda last: _missing(board, last, newest))
        except OSError as error:
            self._why = error.strerror or type(error).__name__
        except ValueError:
            self._why = t("audit.copy_damaged")
        except Refused as error:
            self._why = str(error)
        except OUTAGE_ERRORS as error:
            # Nothing is wrong with the copy, and the next update catches up.
            log.warning("checkpoint copy %s: no database: %s", self.folder, type(error).__name__)
        except Exception as error:
            log.exception("checkpoint copy %s", self.folder)
            self._why = type(error).__name__


def _missing(
    board: BoardContext, last: Checkpoint | None, newest: Checkpoint | None
) -> Iterator[list[Checkpoint]]:
    """Yield what follows `last`; without asking the database if it is only `newest`."""
    if last is not None and last == newest:
        return
    if last is not None and newest is not None and newest.previous == last.identity():
        yield [newest]
        return
    yield from _batches_after(board, last)


def _batches_after(board: BoardContext, last: Checkpoint | None) -> Iterator[list[Checkpoint]]:
    """Yield what was signed after `last`, in batches. Raises `Refused` if the database lacks
    `last`.
    """
    if last is not None:
        with board.database.reading() as session:
            stored = next(audit_log.checkpoints(session, last.size - 1, last.size), None)
        if stored != last:
            raise Refused(why=t("audit.copy_differs", size=last.size))
    size = last.size if last else 0
    while True:
        with board.database.reading() as session:
            batch = list(islice(audit_log.checkpoints(session, size), _BATCH))
        if not batch:
            return
        yield batch
        size = batch[-1].size
