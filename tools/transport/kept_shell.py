"""Connections of the pool, and the shells on them that wait for another command.

A shell waits only if it has seen that nothing of its last command is left (`remote_scripts.py`).
It spares the server a session, and us two round trips.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass

import paramiko

from guardia.tools.transport.connect import close

_MOST = 2
"""Waiting shells of a connection: with the pool's channels, as many sessions as OpenSSH allows."""


@dataclass(frozen=True, slots=True)
class KeptShell:
    """A supervising shell that waits on its channel."""

    channel: paramiko.Channel
    id: str
    """The id of its first command, by which all its commands are found on the server."""
    marker: str
    """The word of its marks, until the next command."""

    def answers(self, seconds: float) -> bool:
        """Return whether it still waits and has said nothing else.

        Raises one of the `CONNECTION_ERRORS` if the connection has broken since: no command is
        given to such a one.
        """
        channel, expected = self.channel, f"\x1e{self.marker}:here\x1e".encode()
        if channel.recv_stderr_ready():
            return False
        deadline, said = time.monotonic() + seconds, b""
        channel.settimeout(seconds)
        channel.sendall(b"\n")
        while len(said) < len(expected):
            channel.settimeout(max(0.0, deadline - time.monotonic()))
            part = channel.recv(len(expected) - len(said))
            said += part
            if not part:
                if channel.get_transport().is_active():
                    return False
                raise EOFError
        return said == expected and not channel.recv_stderr_ready()


class SshConnection:
    """An authenticated paramiko transport, as kept by the pool."""

    def __init__(self, transport: paramiko.Transport, held: ExitStack) -> None:
        """Keep a connection; `held` is given back when it is closed."""
        self.transport = transport
        self._held = held
        self._lock = threading.Lock()
        self._waiting: list[KeptShell] = []

    def is_alive(self) -> bool:
        """Return whether it can still carry channels."""
        return self.transport.is_active()

    def close(self) -> None:
        """Close it and every channel on it."""
        close(self.transport)
        self._held.pop_all().close()

    def take_shell(self, seconds: float) -> KeptShell | None:
        """Take a waiting shell that answers, if there is one.

        Raises one of the `CONNECTION_ERRORS` if the connection has broken.
        """
        while True:
            with self._lock:
                if not self._waiting:
                    return None
                shell = self._waiting.pop()
            if shell.answers(seconds):
                return shell
            shell.channel.close()

    def keep_shell(self, shell: KeptShell) -> None:
        """Let a shell wait for another command, or end it if enough wait."""
        with self._lock:
            is_kept = len(self._waiting) < _MOST
            if is_kept:
                self._waiting.append(shell)
        if not is_kept:
            shell.channel.close()

    def end_shells(self) -> bool:
        """End the waiting shells, whose sessions are needed; return whether there were any."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for shell in waiting:
            shell.channel.close()
        return bool(waiting)
