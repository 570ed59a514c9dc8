"""The team of a worker process, created when the first beat has work.

An idle worker loads neither graphs nor the morphological analyser: a tenth of the memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.core.context import BoardContext
from guardia.org.credential_store import FileCredentialStore
from guardia.settings import Settings
from guardia.tools.gate import Gate

if TYPE_CHECKING:
    from guardia.agents.state import PassageFinder
    from guardia.agents.team import Team
    from guardia.knowledge.library import Library


class LazyTeam:
    """Callable that returns the team; thread-safe. Close it with the process."""

    def __init__(
        self,
        board: BoardContext,
        gate: Gate,
        settings: Settings,
        dsn: str,
        closing: Callable[[], bool],
        find_passages: PassageFinder | None = None,
    ) -> None:
        self._board, self._gate, self._dsn, self._closing = board, gate, dsn, closing
        self._settings = settings
        self._find_passages = find_passages
        self._lock = threading.Lock()
        self._team: Team | None = None
        self._exit_stack = ExitStack()

    def __call__(self) -> Team:
        """Return the team; create it first if necessary."""
        with self._lock:
            if self._team is None:
                self._team = self._create_team()
            return self._team

    def close(self) -> None:
        """Close its connections."""
        self._exit_stack.close()

    def _create_team(self) -> Team:
        from guardia.agents import checkpoints
        from guardia.agents.adapters.contract import HostResources
        from guardia.agents.adapters.runner import ExternalAgentRunner
        from guardia.agents.team import Team
        from guardia.heartbeat.runbook_library import ReviewedRunbooks
        from guardia.knowledge.library import Library

        library = Library.shipped()
        # The first search loads the analyser: do it while the dispatcher is still busy with triage.
        threading.Thread(target=_warm_up, args=(library,), name="warm", daemon=True).start()
        pool = checkpoints.open_pool(self._dsn)
        self._exit_stack.callback(pool.close)
        resources = HostResources(
            self._settings.home / "outside", FileCredentialStore(self._settings.secrets)
        )
        runner = ExternalAgentRunner(self._settings.board_address, resources)
        saver = checkpoints.saver(pool)
        reviewed = ReviewedRunbooks(self._board, BlobStore.of(self._settings), library)
        return Team(
            self._board,
            self._gate,
            library,
            saver,
            self._closing,
            runner,
            find_passages=self._find_passages,
            reviewed=reviewed,
        )


def _warm_up(library: Library) -> None:
    library.find("서버 점검", limit=1)
