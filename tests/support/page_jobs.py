"""A worker's job that a page has asked for, carried out in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from openssh_server import OpenSSH
from sqlalchemy import Select

from guardia.board.core.context import BoardContext
from guardia.tools.gate import Gate
from guardia.tools.transport.connections import Connections


@contextmanager
def carried_out(
    board: BoardContext,
    sshd: OpenSSH,
    waiting: Select[int],
    carry_out: Callable[[BoardContext, Gate, int], Any],
) -> Iterator[None]:
    """Call `carry_out` for each number that `waiting` selects, until the block ends."""
    closing = threading.Event()

    def work() -> None:
        with Connections(sshd) as connections:
            gate = Gate(board, connections)
            while not closing.wait(0.05):
                with board.database.reading() as session:
                    numbers = list(session.scalars(waiting))
                for number in numbers:
                    carry_out(board, gate, number)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    closing.set()
    thread.join()
