"""Tasks of one beat beside each other, so that a server that does not answer delays no other.

A task normally has the beat to itself. One that takes long, because its server is slow or silent,
goes on in its own thread while the beat starts the next.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from contextvars import copy_context
from types import TracebackType
from typing import Generic, TypeVar

ALONE_SECONDS = 1.5
"""Seconds that a task has the beat to itself."""
_MOST = 4
"""Tasks of a beat at a time."""

T = TypeVar("T")


class Lanes(AbstractContextManager["Lanes[T]"], Generic[T]):
    """Running tasks of one beat; used by the beat's thread only. Leaving waits for all."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_MOST, "lane")
        self._running: dict[Future[T], int] = {}

    @property
    def tasks(self) -> frozenset[int]:
        """The tasks that still run."""
        return frozenset(task for future, task in self._running.items() if not future.done())

    def start(self, task_id: int, work: Callable[[], T]) -> T | None:
        """Start a task; return its result, or `None` if the beat may go on beside it."""
        future = self._threads.submit(copy_context().run, work)
        self._running[future] = task_id
        wait((future,), ALONE_SECONDS)
        if not future.done() and len(self.tasks) < _MOST:
            return None
        while not future.done() and len(self.tasks) >= _MOST:
            wait(self._running, return_when=FIRST_COMPLETED)
        return self._take(future) if future.done() else None

    def next_result(self) -> tuple[int, T] | None:
        """Wait for a running task to end; return it with its result, or `None` if none runs."""
        if not self._running:
            return None
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        future = done.pop()
        return self._running[future], self._take(future)

    def _take(self, future: Future[T]) -> T:
        del self._running[future]
        return future.result()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._threads.shutdown()
