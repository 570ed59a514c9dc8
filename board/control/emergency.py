"""The kill switch when the board does not accept it: stop this host, write it down later."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from guardia.board.control.kill_result import KillResult
from guardia.board.core.context import BoardContext
from guardia.board.core.local_stop import LocalStop, StopOrder
from guardia.board.core.stop_sockets import HostStopped
from guardia.errors import UserError

log = logging.getLogger(__name__)

_PATIENCE = 1.0
"""Seconds that the board gets to accept the stop, until this host is stopped without it."""


class _Press:
    """The local stop of one order, pressed at most once."""

    def __init__(self, local: LocalStop, order: StopOrder) -> None:
        self._local, self._order = local, order
        self._lock = threading.Lock()
        self.begun = threading.Event()
        self.result: HostStopped | None = None

    def press(self) -> HostStopped:
        """Stop this host, or wait for another thread that does so."""
        self.begun.set()
        with self._lock:
            if self.result is None:
                self.result = self._local.press(self._order)
            return self.result


def stop(board: BoardContext, order: StopOrder, record: Callable[[], KillResult]) -> KillResult:
    """Return what `record` returns; stop this host if it fails or takes too long.

    In every case the order is kept for the board, and the workers of this host are stopped.
    """
    local = board.local_stop
    if local is None:
        return record()
    press = _Press(local, order)
    late = threading.Timer(_PATIENCE, press.press)
    late.daemon = True
    late.start()
    try:
        result = record_with_reserve(local, record)
    except UserError:
        raise
    except Exception as error:
        log.error("the kill switch could not be recorded: %s", type(error).__name__)
        return KillResult(0, 0, 0, local=press.press())
    finally:
        late.cancel()
    if press.begun.is_set():
        press.press()
        local.settle([order])
    return result


def record_with_reserve(local: LocalStop, record: Callable[[], KillResult]) -> KillResult:
    """Return what `record` returns; if the disk is full, free the room that is kept for this."""
    try:
        return record()
    except UserError:
        raise
    except Exception:
        if local.reserve is None or not local.reserve.release_if_full():
            raise
        return record()
