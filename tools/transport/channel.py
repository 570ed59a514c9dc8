"""Run one command on an open channel, from its request to its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import paramiko

from guardia.tools.output import ExitReason, Output
from guardia.tools.transport.connect import CONNECTION_ERRORS
from guardia.tools.transport.events import BoundedEvent, PipeEvent
from guardia.tools.transport.limits import TransportLimits
from guardia.tools.transport.supervised_shell import (
    FenceGuard,
    OutputStream,
    SupervisedCommand,
    find_exit,
    find_session,
)

OnOutput = Callable[[str, str], None]
"""Called with `"stdout"` or `"stderr"` and whole lines while the command runs."""

_POLL_SECONDS = 0.1
"""Longest delay until a cancel is noticed while no output arrives."""
_CHUNK = 65_536


class CommandNotStarted(Exception):
    """The command certainly did not start."""


class RunningCommand:
    """One command on one channel."""

    def __init__(
        self,
        channel: paramiko.Channel,
        supervised: SupervisedCommand,
        limits: TransportLimits,
        on_output: OnOutput | None,
    ) -> None:
        self._channel = channel
        self._supervised = supervised
        self._limits = limits
        self._stdout, self._stderr = (
            OutputStream(supervised.marker, limits.output, _line_callback(on_output, name))
            for name in ("stdout", "stderr")
        )
        self._wake = PipeEvent()
        self._started = time.monotonic()
        self._ending = ExitReason.LOST
        self._may_start = supervised.fence_guard is None
        self.end_seen = False
        """Whether the end of the command was received."""

    @property
    def session(self) -> int:
        """The command's session id on the server; 0 if unknown."""
        return find_session(self._stderr)

    def wait_for_end(self, cancel: threading.Event) -> Output | None:
        """Follow the command to its end; `None` if its fate must be looked up on the server."""
        if cancel.is_set():  # while the connection was being made
            self.end_seen, self._ending = True, ExitReason.CANCELLED
            return self.output(True)
        if self._request():
            self._follow(self._started + self._supervised.seconds, cancel)
        return self._result()

    def output(self, gone: bool) -> Output:
        """Build the output of a command whose end was not received."""
        return self._build_output(None, self._ending, gone)

    def _request(self) -> bool:
        """Request the command. Returns `False` if it may have started but its result is lost."""
        channel, fence_guard = self._channel, self._supervised.fence_guard
        channel.settimeout(self._limits.connect)
        channel.event = BoundedEvent(self._limits.connect)
        channel.in_buffer.set_event(self._wake)
        channel.in_stderr_buffer.set_event(self._wake)
        try:
            channel.exec_command(self._supervised.line)
            if fence_guard is not None:
                self._pass_fence(fence_guard)
            channel.sendall(self._supervised.payload)
        except CONNECTION_ERRORS as error:
            if fence_guard is not None and not self._may_start:
                raise CommandNotStarted(type(error).__name__) from error
            return False
        return True

    def _pass_fence(self, fence_guard: FenceGuard) -> None:
        """Wait for the supervising shell to be ready, and only then check the claim."""
        deadline = time.monotonic() + self._limits.connect
        while "ready" not in self._stderr.marks:
            left = deadline - time.monotonic()
            if self._channel.closed or left <= 0:
                raise CommandNotStarted("closed" if left > 0 else "timeout")
            self._wake.rearm()
            self._drain()
            if "ready" not in self._stderr.marks:
                self._wake.wait(min(_POLL_SECONDS, left))
        fence_guard.require_current()
        self._may_start = True

    def _follow(self, deadline: float, cancel: threading.Event) -> None:
        terminating = False
        while True:
            self._wake.rearm()
            closed = self._channel.closed
            self._drain()
            if closed or (find_exit(self._stderr) and "end" in self._stdout.marks):
                return
            now = time.monotonic()
            if terminating and now >= deadline:
                return
            if not terminating and (cancel.is_set() or now >= deadline):
                self._ending = ExitReason.CANCELLED if cancel.is_set() else ExitReason.TIMED_OUT
                terminating, deadline = True, now + self._limits.termination
                with suppress(*CONNECTION_ERRORS):
                    self._channel.shutdown_write()
            self._wake.wait(min(_POLL_SECONDS, max(0.001, deadline - now)))

    def _drain(self) -> None:
        channel = self._channel
        while channel.recv_ready():
            self._stdout.feed(channel.recv(_CHUNK))
        while channel.recv_stderr_ready():
            self._stderr.feed(channel.recv_stderr(_CHUNK))

    def _result(self) -> Output | None:
        end = find_exit(self._stderr)
        if end is None and self._channel.closed and not self.session:
            return self._without_shell()
        if end is None:
            return None
        self.end_seen = True
        if not end.killed:
            return self._build_output(end.exit, ExitReason.EXITED, True)
        return self._build_output(None, self._ending, end.gone)

    def _without_shell(self) -> Output | None:
        """Build the output of a login shell that exited first, as `nologin` does."""
        status = self._channel.exit_status
        if status < 0:
            return None
        self.end_seen = True
        return self._build_output(status, ExitReason.EXITED, True)

    def _build_output(self, status: int | None, ending: ExitReason, gone: bool) -> Output:
        return Output(
            exit=status,
            stdout=self._stdout.finish(),
            stderr=self._stderr.finish(),
            seconds=time.monotonic() - self._started,
            truncated=self._stdout.truncated or self._stderr.truncated,
            exit_reason=ending,
            is_confirmed_gone=gone,
        )


def _line_callback(on_output: OnOutput | None, stream: str) -> Callable[[str], None] | None:
    return (lambda text: on_output(stream, text)) if on_output else None
