"""Keep the embedded PostgreSQL running for as long as this process lives.

Every long-lived process of an installation runs one: whichever has the keeper's lock restarts the
server, and another one takes over when that process ends.
"""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Self

from guardia.db.embedded import Cluster
from guardia.db.reserve import DiskReserve
from guardia.errors import Misconfigured

log = logging.getLogger(__name__)

_INTERVAL = 0.5
_BACK_OFF = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds until the next start; the last one repeats. During `pg_ctl restart`, too, there is no
server for a moment."""
_RESERVE_LOOKS = 120
"""Looks at the server after which the reserve on its disk is looked at."""
_STEADY_SECONDS = 60.0
"""How long the server must have run until a new end counts as the first one."""


class ClusterKeeper:
    """Starts a cluster and brings it back whenever it has ended, until the block ends.

    Keeps a reserve on its disk, too.
    """

    def __init__(self, cluster: Cluster, reserve: DiskReserve | None = None) -> None:
        self.cluster = cluster
        self._reserve = reserve
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="postgres-keeper", daemon=True)

    def __enter__(self) -> Self:
        self.cluster.start()
        self._ensure_reserve()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._thread.join()
        self.cluster.stop()

    def _watch(self) -> None:
        failures, steady, looks = 0, 0.0, 0
        while not self._closing.wait(_INTERVAL):
            looks += 1
            if looks % _RESERVE_LOOKS == 0:
                self._ensure_reserve()
            if self.cluster.pid is not None:
                steady += _INTERVAL
                failures = 0 if steady > _STEADY_SECONDS else failures
            else:
                pause = _BACK_OFF[min(failures, len(_BACK_OFF) - 1)]
                failures, steady = failures + 1, 0.0
                self._closing.wait(pause)
            self._ensure_running()

    def _ensure_reserve(self) -> None:
        if self._reserve is not None and not self._reserve.ensure():
            log.warning("the disk of the database has no room for the reserve of the kill switch")

    def _ensure_running(self) -> None:
        if self._closing.is_set():
            return
        ended = self.cluster.pid is None
        try:
            self.cluster.ensure_running()
        except (Misconfigured, OSError) as error:
            log.error("embedded PostgreSQL does not start: %s", error)
        else:
            if ended and self.cluster.owned:
                log.warning("embedded PostgreSQL had ended; it was started again")
