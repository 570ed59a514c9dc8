"""Transport over kept SSH connections.

`Unreachable` always means that the command certainly did not start. A command that may have started
is never sent again; `run` then returns what is known of its end.
"""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko

from guardia.errors import GuardiaError
from guardia.org.directory import Host
from guardia.tools.command import Command
from guardia.tools.output import ExitReason, Output
from guardia.tools.transport.breaker import CircuitBreaker
from guardia.tools.transport.channel import CommandNotStarted, OnOutput, RunningCommand
from guardia.tools.transport.connect import (
    CONNECTION_ERRORS,
    PrivateKeyStore,
    close,
    connect,
    unreachable,
)
from guardia.tools.transport.events import BoundedEvent
from guardia.tools.transport.limits import TransportLimits
from guardia.tools.transport.pool import ConnectionPool, PoolClosed, PooledConnection, PoolExhausted
from guardia.tools.transport.sftp import ContentStore, Transfer
from guardia.tools.transport.supervised_shell import (
    FenceGuard,
    SupervisedCommand,
    terminate_command,
)

_Endpoint = tuple[str, str, int, str, str, str]

# Without a handler, paramiko would log to standard error.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class Connections:
    """Kept connections to any number of hosts; thread-safe."""

    def __init__(
        self,
        secrets: PrivateKeyStore,
        limits: TransportLimits | None = None,
        contents: ContentStore | None = None,
    ) -> None:
        self._secrets = secrets
        self._contents = contents
        self._limits = limits or TransportLimits()
        self._breaker: CircuitBreaker[_Endpoint] = CircuitBreaker()
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
        """Run `command` and wait for its end, at most `timeout` seconds.

        Setting `cancel` ends it on the server. With a `fence_guard` it starts only while the claim
        is current. Raises `Unreachable` if it certainly did not start, `Stale` if the claim is not
        current.
        """
        cancel = cancel or threading.Event()
        if cancel.is_set():
            return Output(None, "", "", 0.0, exit_reason=ExitReason.CANCELLED)
        if command.upload is not None:
            transfer = Transfer(self, self._contents, host, command.upload, fence_guard)
            if not transfer.run(cancel):
                return Output(None, "", "", 0.0, exit_reason=ExitReason.CANCELLED)
        sent = command.with_secrets(self._secrets.get)
        supervised = SupervisedCommand(sent, timeout, fence_guard)
        running, output = self._execute(host, supervised, cancel, on_output)
        return output or running.output(*self._count_left(host, supervised, running))

    def end(self, host: Host, tag: str) -> bool:
        """End every process with this tag on the server, also those started by another worker.

        Returns whether none is left. Raises `Unreachable` if the server cannot be asked.
        """
        return (
            self.run(host, terminate_command(tag), timeout=self._limits.termination + 5).exit == 0
        )

    @contextmanager
    def sftp(self, host: Host) -> Iterator[paramiko.SFTPClient]:
        """Open an SFTP channel on a kept connection for the block.

        Each read and write waits at most the limit for connecting. Raises `Unreachable` if the
        channel cannot be opened; within the block, paramiko's errors pass.
        """
        with self._breaker.asking(_endpoint(host)):
            pooled, channel = self._channel(host)
        broken = True
        try:
            yield self._start_sftp(host, channel)
            broken = False
        finally:
            channel.close()
            self._pool.release(pooled, retire=broken)

    def _start_sftp(self, host: Host, channel: paramiko.Channel) -> paramiko.SFTPClient:
        channel.settimeout(self._limits.connect)
        channel.event = BoundedEvent(self._limits.connect)
        try:
            channel.invoke_subsystem("sftp")
            return paramiko.SFTPClient(channel)
        except (*CONNECTION_ERRORS, paramiko.SFTPError) as error:
            raise unreachable(host, "no_sftp", {"error": error}) from error

    def close(self) -> None:
        """Close all connections, which ends everything that still runs over them."""
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
        """Run one command to its end. Returns no output if its end was not received."""
        with self._breaker.asking(_endpoint(host)):
            pooled, channel = self._channel(host)
        running = RunningCommand(channel, supervised, self._limits, on_output)
        try:
            return running, running.wait_for_end(cancel)
        except CommandNotStarted as error:
            if cancel.is_set():
                return running, Output(None, "", "", 0.0, exit_reason=ExitReason.CANCELLED)
            raise unreachable(host, error.reason, {"error": error}) from None
        finally:
            if running.is_unanswered:
                silence = unreachable(host, "no_answer")
                self._breaker.record_silence(_endpoint(host), silence)
            channel.close()
            # A connection that lost the end of a command is not reused for the next one.
            self._pool.release(pooled, retire=not running.end_seen)

    def _count_left(
        self, host: Host, supervised: SupervisedCommand, running: RunningCommand
    ) -> tuple[int | None, int]:
        """Ask the server in a second command how much of the first is left, and how much unclear.

        The first is `None` if the server does not say.
        """
        check = supervised.gone_check(running.session, running.age)
        look = SupervisedCommand(check, self._limits.termination)
        try:
            _, output = self._execute(host, look, threading.Event())
        except GuardiaError:
            return None, 0
        counts = re.fullmatch(r"([0-9]{1,6}) ([0-9]{1,6})\n", output.stdout if output else "")
        return (int(counts[1]), int(counts[2])) if counts else (None, 0)

    def _channel(self, host: Host) -> tuple[PooledConnection[_SshConnection], paramiko.Channel]:
        """Open a channel on a kept connection if possible, or on a new one."""
        deadline = time.monotonic() + self._limits.connect
        broken = 0
        while True:
            pooled = self._acquire(host, deadline)
            left = max(1.0, deadline - time.monotonic())
            try:
                return pooled, pooled.connection.transport.open_session(timeout=left)
            except CONNECTION_ERRORS as error:
                full = _is_refusal(error) and pooled.connection.is_alive()
                if full:  # the server allows fewer sessions per connection than we do
                    pooled.mark_full()
                self._pool.release(pooled, retire=not full)
                broken += not full
                if broken > 1 or (full and time.monotonic() >= deadline):
                    raise unreachable(host, *_channel_reason(error, full=full)) from error
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
    """An authenticated paramiko transport, as kept by the pool."""

    def __init__(self, transport: paramiko.Transport) -> None:
        self.transport = transport

    def is_alive(self) -> bool:
        return self.transport.is_active()

    def close(self) -> None:
        close(self.transport)


def _endpoint(host: Host) -> _Endpoint:
    """Return what makes connections interchangeable; other facts of the CMDB may change."""
    return (host.server_id, host.address, host.port, host.account, host.host_key, host.credential)


def _channel_reason(error: Exception, *, full: bool) -> tuple[str, dict[str, object]]:
    """Say why no channel could be opened on an open connection."""
    if full:
        return "no_session", {}
    # paramiko says so when its own limit is over.
    silent = isinstance(error, TimeoutError) or "imeout" in str(error)
    return ("no_answer", {}) if silent else ("lost", {"error": type(error).__name__})


def _is_refusal(error: Exception) -> bool:
    """Return whether the server refused a channel.

    If two channels are refused at once, paramiko gives the reason to one thread only; the other
    gets this text.
    """
    return isinstance(error, paramiko.ChannelException) or "Unable to open" in str(error)
