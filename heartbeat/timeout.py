"""Time limit of a beat: first end it in order, then abandon its thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any, TypeVar

log = logging.getLogger(__name__)

GRACE = 30.0
"""Seconds for work to notice that its claim was revoked; then its thread is abandoned."""

T = TypeVar("T")


class BeatAbandoned(Exception):
    """The work continues in an abandoned thread.

    Its claims are revoked, so the fence rejects anything that it still writes.
    """


def run_with_timeout(
    seconds: float, work: Callable[[], T], expire: Callable[[], object], *, grace: float = GRACE
) -> T:
    """Return the result of `work`; call `expire` after `seconds`, which revokes its claims.

    Raises `BeatAbandoned` if it does not end within the grace period after that.
    """
    result: Future[T] = Future()
    thread = threading.Thread(target=_run, args=(result, copy_context(), work), daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        expire()
        thread.join(grace)
    if thread.is_alive():
        log.error("beat timed out; thread abandoned")
        raise BeatAbandoned
    return result.result()


def _run(result: Future[T], context: Any, work: Callable[[], T]) -> None:
    try:
        result.set_result(context.run(work))
    except BaseException as error:
        result.set_exception(error)
