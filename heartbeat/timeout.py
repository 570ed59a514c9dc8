"""The time that a beat may take; what takes longer is ended in order, and left behind at worst."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any, TypeVar

log = logging.getLogger(__name__)

GRACE = 30.0
"""Seconds for work that has lost its hold to notice; then its thread is left behind."""

T = TypeVar("T")


class BeatAbandoned(Exception):
    """The work goes on in a thread that nobody waits for. It holds nothing any more: whatever it
    still writes is refused by the fence."""


def run_with_timeout(
    seconds: float, work: Callable[[], T], expire: Callable[[], object], *, grace: float = GRACE
) -> T:
    """The result of ``work``; after ``seconds`` ``expire`` takes its hold away.

    ``Overdue`` where it does not end in the grace time after that either.
    """
    result: Future[T] = Future()
    thread = threading.Thread(target=_run, args=(result, copy_context(), work), daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        expire()
        thread.join(grace)
    if thread.is_alive():
        log.error("a beat hangs and is left behind")
        raise BeatAbandoned
    return result.result()


def _run(result: Future[T], context: Any, work: Callable[[], T]) -> None:
    try:
        result.set_result(context.run(work))
    except BaseException as error:
        result.set_exception(error)
