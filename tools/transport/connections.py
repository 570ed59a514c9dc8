"""The hands: commands on servers over kept SSH connections. Nothing else imports paramiko.

``Unreachable`` always means that the command surely did not start. Once it may have started it is
never sent again, and ``run`` returns what is known of its end.
"""

from __future__ import annotations

import logging
import random
import threading
import time

import paramiko

from guardia.errors import GuardiaError
from guardia.org.directory import Host
from guardia.tools.command import Command
from guardia.tools.output import ExitReason, Output
from guardia.tools.transport.channel import CommandNotStarted, OnOutput, RunningCommand
from guardia.tools.transport.connect import (
    CONNECTION_ERRORS,
    PrivateKeyStore,
    close,
    connect,
    unreachable,
)
from guardia.tools.transport.limits import TransportLimits
from guardia.tools.transport.pool import ConnectionPool, PoolClosed, PooledConnection, PoolExhausted
from guardia.tools.transport.supervised_shell import (
    FenceGuard,
    SupervisedCommand,
    terminate_command,
)

__all__ = ["Connections", "ExitReason", "TransportLimits", "Output", "PrivateKeyStore"]

_Endpoint = tuple[str, str, int, str, str, str]

# Without a handler paramiko's log lines would go to standard error.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class Connections:
    """Kept connections to any number of hosts; one object serves all threads."""

    def __init__(self, secrets: PrivateKeyStore, limits: TransportLimits | None = None) -> None:
        self._secrets = secrets
        self._limits = limits or TransportLimits()
        self._pool: ConnectionPool[_Endpoint, _SshConnection] = ConnectionPool(
            channels=self._limits.channels,
            connections=self._limits.connections,
            idle=self._limits.idle,
        )

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
        """Run ``command`` and wait for its end, at most ``timeout`` seconds.

        ``Unreachable`` where it surely did not start. Setting ``cancel`` ends it on the server.
        With a ``leash`` it starts only while that holds; ``Stale`` else.
        """
        cancel = cancel or threading.Event()
        if cancel.is_set():
            return Output(None, "", "", 0.0, exit_reason=ExitReason.CANCELLED)
        supervised = SupervisedCommand(command, timeout, fence_guard)
        running, output = self._execute(host, supervised, cancel, on_output)
        return output or running.output(self._is_gone(host, supervised, running.session))

    def end(self, host: Host, tag: str) -> bool:
        """End whatever is on that leash on the server, also if another worker has put it there.

        Whether nothing of it is left; ``Unreachable`` where the server cannot be asked.
        """
        return (
            self.run(host, terminate_command(tag), timeout=self._limits.termination + 5).exit == 0
        )

    def close(self) -> None:
        """End all connections, and with them whatever still runs over them."""
        self._pool.close()

    def __enter__(self) -> Connections:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _execute(
        self,
        host: Host,
        supervised: SupervisedCommand,
        cancel: threading.Event,
        on_output: OnOutput | None = None,
    ) -> tuple[RunningCommand, Output | None]:
        """One command, followed to its end; no output where that was not heard of."""
        pooled, channel = self._channel(host)
        running = RunningCommand(channel, supervised, self._limits, on_output)
        try:
            return running, running.wait_for_end(cancel)
        except CommandNotStarted as error:
            raise unreachable(host, "broken", error=error) from None
        finally:
            channel.close()
            # A connection that did not even tell of the end is not trusted with the next command.
            self._pool.release(pooled, retire=not running.end_seen)

    def _is_gone(self, host: Host, supervised: SupervisedCommand, session: int) -> bool:
        """Whether a second look at the server finds nothing left of a command."""
        look = SupervisedCommand(supervised.gone(session), self._limits.termination)
        try:
            _, output = self._execute(host, look, threading.Event())
        except GuardiaError:
            return False
        return output is not None and output.exit == 0

    def _channel(self, host: Host) -> tuple[PooledConnection[_SshConnection], paramiko.Channel]:
        """An open channel: on a kept connection, else on a new one."""
        deadline = time.monotonic() + self._limits.connect
        broken = 0
        while True:
            pooled = self._acquire(host, deadline)
            left = max(1.0, deadline - time.monotonic())
            try:
                return pooled, pooled.connection.transport.open_session(timeout=left)
            except CONNECTION_ERRORS as error:
                full = _is_refusal(error) and pooled.connection.is_alive()
                if full:  # the server allows fewer sessions on a connection than we do
                    pooled.full()
                self._pool.release(pooled, retire=not full)
                broken += not full
                if broken > 1 or (full and time.monotonic() >= deadline):
                    reason = "no_session" if full else "broken"
                    raise unreachable(host, reason, error=type(error).__name__) from error
            time.sleep(random.uniform(0.01, 0.05))

    def _acquire(self, host: Host, deadline: float) -> PooledConnection[_SshConnection]:
        def connected() -> _SshConnection:
            return _SshConnection(connect(host, self._secrets, self._limits, deadline))

        try:
            return self._pool.acquire(_endpoint(host), connected, deadline)
        except PoolExhausted:
            raise unreachable(host, "busy") from None
        except PoolClosed:
            raise unreachable(host, "closed") from None


class _SshConnection:
    """An authenticated transport, as the pool keeps it."""

    def __init__(self, transport: paramiko.Transport) -> None:
        self.transport = transport

    def is_alive(self) -> bool:
        return self.transport.is_active()

    def close(self) -> None:
        close(self.transport)


def _endpoint(host: Host) -> _Endpoint:
    """What makes connections interchangeable: the CMDB's other facts may change meanwhile."""
    return (host.server_id, host.address, host.port, host.account, host.host_key, host.credential)


def _is_refusal(error: Exception) -> bool:
    """Whether the server refused a channel. Of two refusals at once paramiko gives the reason to
    one thread only; the other gets this text."""
    return isinstance(error, paramiko.ChannelException) or "Unable to open" in str(error)
