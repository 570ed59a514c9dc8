"""Report a server whose host key is not the pinned one, or that has none, to the board."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from guardia.board.cmdb import host_keys, offered_keys
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


NO_KEY = "no_host_key"
"""Reason of an `Unreachable` for a server whose host key no person has confirmed."""


class HostKeyWatch:
    """A transport that blocks a server on the board when its host key has changed.

    Of a server without a confirmed key it keeps the one that is offered, for a person to confirm.
    """

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

    def offered_key(self, host: Host) -> str:
        """Return the host key that a server offers. Raises `Unreachable`."""
        return self._transport.offered_key(host)

    @contextmanager
    def _watching(self, host: Host) -> Iterator[None]:
        try:
            yield
        except Unreachable as error:
            if error.detail.get("reason") == REASON:
                self._report(str(error.detail.get("server") or host.server_id))
            elif error.detail.get("hop_reason") == REASON:
                self._report(str(error.detail["hop"]))
            elif error.detail.get("reason") == NO_KEY and _is_about(error, host):
                self._keep_offered(host)
            raise

    def _keep_offered(self, host: Host) -> None:
        """Keep the key that a server offers; the command has failed whether this works or not."""
        try:
            key = self._transport.offered_key(host)
            offered_keys.record_offered(self._board, {host.server_id: key})
        except (Unreachable, *OUTAGE_ERRORS) as error:
            log.info("%s: its host key is not kept: %s", host.server_id, error)

    def _report(self, server_id: str) -> None:
        try:
            number = host_keys.report_changed(self._board, server_id)
        except OUTAGE_ERRORS as error:
            # The next command meets the key again, and is refused again.
            log.warning("%s: a changed host key is not reported: %s", server_id, error)
            return
        if number is not None:
            log.error("%s: another host key than the pinned one; blocked", server_id)


def _is_about(error: Unreachable, host: Host) -> bool:
    return error.detail.get("server") == host.server_id
