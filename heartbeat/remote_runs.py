"""Carry out the reads of a run of the remote console, several servers at a time, as who asked."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from guardia.board.core.context import BoardContext
from guardia.board.execution.commands import MAX_OUTPUT
from guardia.board.remote_console import progress
from guardia.board.remote_console.policy import TargetState
from guardia.board.remote_console.progress import ReadResult, Work
from guardia.board.remote_console.targets import RUN
from guardia.db.engine import OUTAGE_ERRORS
from guardia.errors import Forbidden, GuardiaError, Interrupted, NotFound, Refused, ServerBlocked
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.tools.gate import Gate
from guardia.tools.recorded_commands import ReadWatch

log = logging.getLogger(__name__)

AT_A_TIME = 16
"""Servers that one run reads at a time."""
_TURN = 30.0
"""Seconds after which a job begins no further server and lets the other jobs of a worker go on."""
_LOOK = 0.5
"""Seconds between two looks at whether the run goes on; output is kept as often."""
_REFUSALS = (Forbidden, Refused, NotFound, ServerBlocked)


class _Read:
    """The read of one server, and the end of what it has printed."""

    def __init__(self, ordinal: int, server: str) -> None:
        self.ordinal, self.server = ordinal, server
        self._lock = threading.Lock()
        self._text, self._is_cut, self._changed = "", False, False

    def add(self, _stream: str, text: str) -> None:
        with self._lock:
            self._is_cut = self._is_cut or len(self._text) + len(text) > MAX_OUTPUT
            self._text = (self._text + text)[-MAX_OUTPUT:]
            self._changed = True

    def take_output(self) -> str | None:
        """Return the output if it has changed since the last call."""
        with self._lock:
            changed, self._changed = self._changed, False
            return self._text if changed else None

    def result(self, state: TargetState, started: float, why: str = "") -> ReadResult:
        with self._lock:
            milliseconds = round((time.monotonic() - started) * 1000)
            return ReadResult(state, milliseconds, {}, self._text, self._is_cut, why)


def carry_out(board: BoardContext, gate: Gate, number: int, at_a_time: int = AT_A_TIME) -> None:
    """Read servers of a run for one turn; the run goes on in another job if any are left."""
    work = progress.begin(board, number)
    if work is None:
        return
    cancel = threading.Event()
    with _threads(at_a_time, cancel) as threads:
        running: dict[Future[ReadResult], _Read] = {}
        until, looked = time.monotonic() + _TURN, 0.0
        while True:
            if time.monotonic() < until and not cancel.is_set():
                for ordinal, server in progress.take(board, work, at_a_time - len(running)):
                    one = _Read(ordinal, server)
                    running[threads.submit(_read, board, gate, work, one, cancel)] = one
            if not running:
                break
            done, _ = wait(running, timeout=_LOOK, return_when=FIRST_COMPLETED)
            for future in done:
                result = future.result()
                if result.state is TargetState.STOPPED:
                    until = 0.0  # this process ends, or is stopped: another goes on with the rest
                progress.settle(board, work, running.pop(future).ordinal, result)
            if time.monotonic() - looked >= _LOOK:
                looked = time.monotonic()
                tails = {one.ordinal: one.take_output() for one in running.values()}
                shown = {ordinal: text for ordinal, text in tails.items() if text is not None}
                if not progress.keep_output(board, work, shown):
                    cancel.set()
    progress.finish(board, work)


@contextmanager
def _threads(most: int, cancel: threading.Event) -> Iterator[ThreadPoolExecutor]:
    """Yield threads; the end of the block also ends the commands that they still run."""
    with ThreadPoolExecutor(most, "remote") as threads:
        try:
            yield threads
        finally:
            cancel.set()


def _read(
    board: BoardContext, gate: Gate, work: Work, one: _Read, cancel: threading.Event
) -> ReadResult:
    """Return how the read of one server ended; an error is its result."""
    started = time.monotonic()
    try:
        if work.by is None:
            raise Forbidden(who="-", action=RUN)
        require_permission(work.by, RUN)
        watch = ReadWatch(work.number, cancel, one.add)
        findings = gate.inspect(work.by, one.server, work.call, watch)
    except OUTAGE_ERRORS:
        raise  # the job is repeated; this server ends as unknown
    except Interrupted:
        return one.result(TargetState.STOPPED, started, t("remote.ended"))
    except _REFUSALS as error:
        return one.result(TargetState.REFUSED, started, str(error))
    except GuardiaError as error:
        return one.result(TargetState.FAILED, started, str(error))
    except Exception:
        log.exception("remote run %s on %s", work.number, one.server)
        return one.result(TargetState.FAILED, started, t("cmdb.reading.unexpected"))
    found = one.result(TargetState.OK, started)
    return ReadResult(found.state, found.milliseconds, findings, found.output, found.is_cut)
