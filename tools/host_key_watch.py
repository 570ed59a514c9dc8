"""Report a server whose host key is not the pinned one to the board."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from guardia.board.cmdb import host_keys
from guardia.board.core.context import BoardContext
from guardia.db.engine import OUTAGE_ERRORS
from guardia.errors import Unreachable
from guardia.org.directory import Host
from guardia.tools.command import Command
from guardia.tools.live_output import OnOutput
from guardia.tools.output import Output
from guardia.tools.transport.supervised_shell import FenceGuard

if TYPE_CHECKING:
    from guardia.tools.recorded_commands import Transport

log = logging.getLogger(__name__)

REASON = "host_key"
"""Reason of an `Unreachable` for a host key that is not the pinned one."""


class HostKeyWatch:
    """A transport that blocks a server on the board when its host key has changed."""

    def __init__(self, board: BoardContext, transport: Transport) -> None:
        self._board = board
        self._transport = transport

    def run(
        self,
        host: Host,
        command: Command,
        *,
        timeout: float,
        cancel: threading.Event | None = None,
        on_output: OnOutput | None = None,
        fence_guard: FenceGuard | None = None,
    ) -> Output:
        """Run a command. Raises `Unreachable` and blocks the server if its key has changed."""
        with self._watching(host):
            return self._transport.run(
                host,
                command,
                timeout=timeout,
                cancel=cancel,
                on_output=on_output,
                fence_guard=fence_guard,
            )

    def end(self, host: Host, tag: str) -> bool:
        """End every process with this tag on the host. Returns whether none is left."""
        with self._watching(host):
            return self._transport.end(host, tag)

    @contextmanager
    def _watching(self, host: Host) -> Iterator[None]:
        try:
            yield
        except Unreachable as error:
            if error.detail.get("reason") == REASON:
                self._report(str(error.detail.get("server") or host.server_id))
            elif error.detail.get("hop_reason") == REASON:
                self._report(str(error.detail["hop"]))
            raise

    def _report(self, server_id: str) -> None:
        try:
            number = host_keys.report_changed(self._board, server_id)
        except OUTAGE_ERRORS as error:
            # The next command meets the key again, and is refused again.
            log.warning("%s: a changed host key is not reported: %s", server_id, error)
            return
        if number is not None:
            log.error("%s: another host key than the pinned one; blocked", server_id)
