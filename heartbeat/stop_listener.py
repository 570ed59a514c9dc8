"""A worker's control socket and the watch over this host's stop orders.

Both end the remote commands of this process without the database: the socket at once, the watch for
orders that were kept before this process started. The watch also writes the orders to the board as
soon as that is possible, and then lets commands start again: from then on the board decides.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from guardia.board.control import kill_switch, rollback
from guardia.board.core.context import BoardContext
from guardia.board.core.local_stop import LocalStop, StopOrder, parse_orders
from guardia.board.core.stop_sockets import STOP_SECONDS, SUFFIX, receive_line, short_path
from guardia.tools.gate import Gate

log = logging.getLogger(__name__)

_INTERVAL = 0.5
_PEER_SECONDS = 5.0


class StopListener:
    """Listens for as long as a worker lives; needs nothing but the installation's folder."""

    def __init__(self, board: BoardContext, gate: Gate, local: LocalStop) -> None:
        self._board, self._gate, self._local = board, gate, local
        self._path = local.folder / f"{os.getpid()}{SUFFIX}"
        self._unkept: dict[str, StopOrder] = {}
        """Orders from the socket: the disk may have refused them."""
        self._stopped = False
        self._must_wake = False
        """Whether rollbacks may wait that came while this process refused commands."""
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def __enter__(self) -> Self:
        self._local.prepare()
        self._path.unlink(missing_ok=True)
        with short_path(self._path) as address:
            self._server.bind(address)
        self._path.chmod(0o600)
        self._server.listen()
        self._look()  # before the first job: an order may be waiting
        for work in (self._serve, self._watch):
            threading.Thread(target=work, name=f"stop{work.__name__}", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._path.unlink(missing_ok=True)
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    # --- socket -----------------------------------------------------------------------------

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(_PEER_SECONDS)
            try:
                orders = parse_orders(f"[{receive_line(connection)}]")
            except (OSError, ValueError, TypeError):
                return
            answer = self._stop(orders)
            with suppress(OSError):
                connection.sendall(json.dumps(answer).encode() + b"\n")

    def _stop(self, orders: list[StopOrder]) -> dict[str, int]:
        with self._lock:
            self._stopped = True
            self._unkept |= {order.order_id: order for order in orders}
        report = self._gate.stop_commands(STOP_SECONDS)
        left = sum(host.unanswered + host.left + host.unclear for host in report.hosts)
        log.warning("stopped by a person: %s commands ended, %s left", report.commands, left)
        return {"commands": report.commands, "left": left}

    # --- watch ------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._closing.wait(_INTERVAL):
            try:
                self._look()
            except Exception as error:
                log.warning("a stop waits for the board: %s", type(error).__name__)

    def _look(self) -> None:
        """Obey waiting orders, and write them to the board if it can be reached."""
        with self._lock:
            unkept = list(self._unkept.values())
        if self._local.is_pressed() and not self._stopped:
            self._stop([])
        if self._stopped:
            self._hand_to_board(unkept)
        if self._must_wake and not self._stopped:
            rollback.wake_waiting(self._board)
            self._must_wake = False

    def _hand_to_board(self, unkept: list[StopOrder]) -> None:
        """Write the orders to the board, and let commands start again once none is left."""
        try:
            for order in unkept:
                kill_switch.record(self._board, order)
            kill_switch.record_pending(self._board)
        except Exception as error:
            log.warning("a stop waits for the board: %s", type(error).__name__)
            return
        self._local.settle(unkept)
        with self._lock:
            for order in unkept:
                self._unkept.pop(order.order_id, None)
            if self._unkept or self._local.is_pressed():
                return
            self._stopped = False
        # The board's switch is on: it permits nothing but rollbacks, until people release it.
        self._gate.allow_commands()
        self._must_wake = True
