"""Run one command on an open channel, from its request to its end.

Limit and cancel hold for any bytes of the other side: both are looked at after every bounded read,
and what is received is bounded before it is parsed.
"""

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
from guardia.tools.transport.output_stream import OutputStream, find_exit, find_session
from guardia.tools.transport.supervised_shell import FenceGuard, SupervisedCommand

OnOutput = Callable[[str, str], None]
"""Called with `"stdout"` or `"stderr"` and whole lines while the command runs."""

_POLL_SECONDS = 0.1
"""Longest delay until a cancel is noticed while no output arrives."""
_NO_SHELL = 255
"""Exit status of a login shell that ended well without running the command."""
_CHUNK = 65_536
_CHUNKS_A_TURN = 16
"""Chunks read of each stream between two looks at limit and cancel."""


class CommandNotStarted(Exception):
    """The command certainly did not start."""

    def __init__(self, reason: str, said: str = "") -> None:
        """Keep the reason, a key below `tools.ssh`, and what was said instead."""
        super().__init__(reason)
        self.reason = reason
        self.said = said


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
        self.is_unanswered = False
        """Whether the server has let the request for the command go unanswered."""

    @property
    def session(self) -> int:
        """The command's session id on the server; 0 if unknown."""
        return find_session(self._stderr)

    @property
    def has_shell(self) -> bool:
        """Whether a mark of the supervising shell has arrived."""
        return bool(self._stderr.marks or self._stdout.marks)

    @property
    def is_refused(self) -> bool:
        """Whether the login shell has neither run the command nor ended it for us to ask."""
        return not self.has_shell and self._ending is ExitReason.TIMED_OUT

    @property
    def age(self) -> float:
        """Seconds since the command was requested."""
        return time.monotonic() - self._started

    def wait_for_end(self, cancel: threading.Event) -> Output | None:
        """Follow the command to its end; `None` if its fate must be looked up on the server."""
        if cancel.is_set():  # while the connection was being made
            self.end_seen, self._ending = True, ExitReason.CANCELLED
            return self.output(0)
        deadline = self._started + self._supervised.seconds
        if self._request(cancel, deadline):
            self._follow(deadline, cancel)
        elif cancel.is_set():
            self._ending = ExitReason.CANCELLED
        return self._result()

    def output(self, left: int | None, unclear: int = 0) -> Output:
        """Build the output of a command whose end was not received."""
        return self._build_output(None, self._ending, left, unclear)

    def _request(self, cancel: threading.Event, deadline: float) -> bool:
        """Request the command. Returns `False` if it may have started but its result is lost."""
        channel, fence_guard = self._channel, self._supervised.fence_guard
        channel.settimeout(_POLL_SECONDS)
        channel.event = BoundedEvent(
            self._limits.connect, lambda: cancel.is_set() or self._is_flooded()
        )
        channel.in_buffer.set_event(self._wake)
        channel.in_stderr_buffer.set_event(self._wake)
        try:
            channel.exec_command(self._supervised.line)
            if fence_guard is not None:
                self._pass_fence(fence_guard, cancel)
            self._send_input(cancel, deadline)
        except CONNECTION_ERRORS as error:
            silent = isinstance(error, TimeoutError)
            self.is_unanswered = silent and not cancel.is_set() and not self._is_flooded()
            if fence_guard is not None and not self._may_start:
                raise CommandNotStarted("no_answer" if silent else "lost") from error
            self._drain()  # what a shell said that ended before it took the input
            return False
        return True

    def _pass_fence(self, fence_guard: FenceGuard, cancel: threading.Event) -> None:
        """Wait for the supervising shell to be ready, and only then check the claim."""
        deadline = time.monotonic() + self._limits.connect
        while "ready" not in self._stderr.marks:
            left = deadline - time.monotonic()
            if self._channel.closed:
                self._drain()
                if "ready" in self._stderr.marks:
                    break  # and has already ended, as where a program is missing
                raise CommandNotStarted("no_shell", self._stderr.finish() or self._stdout.finish())
            if left <= 0 or cancel.is_set() or self._is_flooded():
                raise CommandNotStarted("no_answer")
            self._wake.rearm()
            more = self._drain()
            if "ready" not in self._stderr.marks and not more:
                self._wake.wait(min(_POLL_SECONDS, left))
        fence_guard.require_current()
        if not cancel.is_set():
            self._may_start = True

    def _send_input(self, cancel: threading.Event, deadline: float) -> None:
        """Send the input as a whole within the command's own limit.

        A command whose input is cut short does not start: its shell counts the bytes.
        """
        rest = self._supervised.payload
        while rest and self._may_start:
            if cancel.is_set() or time.monotonic() >= deadline or self._is_flooded():
                return
            with suppress(TimeoutError):  # the server takes no more for now
                rest = rest[self._channel.send(rest[:_CHUNK]) :]

    def _follow(self, deadline: float, cancel: threading.Event) -> None:
        terminating = False
        while True:
            self._wake.rearm()
            closed = self._channel.closed
            more = self._drain()
            if not more and (closed or self._has_ended()):
                return
            now = time.monotonic()
            if terminating and now >= deadline:
                return
            if not terminating and (reason := self._reason_to_end(deadline, cancel)):
                self._ending = reason
                terminating, deadline = True, now + self._limits.termination
                with suppress(*CONNECTION_ERRORS):
                    self._channel.shutdown_write()
            if not more:
                self._wake.wait(min(_POLL_SECONDS, max(0.001, deadline - now)))

    def _has_ended(self) -> bool:
        return find_exit(self._stderr) is not None and "end" in self._stdout.marks

    def _reason_to_end(self, deadline: float, cancel: threading.Event) -> ExitReason | None:
        if cancel.is_set():
            return ExitReason.CANCELLED
        if time.monotonic() >= deadline:
            return ExitReason.TIMED_OUT
        return ExitReason.FLOODED if self._is_flooded() else None

    def _is_flooded(self) -> bool:
        """Return whether the server has sent more than any command needs."""
        waiting = len(self._channel.in_buffer) + len(self._channel.in_stderr_buffer)
        received = self._stdout.received + self._stderr.received
        return waiting > self._limits.buffered or received > self._limits.received

    def _drain(self) -> bool:
        """Read a bounded part of what has arrived. Returns whether more waits."""
        channel = self._channel
        for _ in range(_CHUNKS_A_TURN):
            has_output, has_errors = channel.recv_ready(), channel.recv_stderr_ready()
            if not (has_output or has_errors):
                return False
            if has_output:
                self._stdout.feed(channel.recv(_CHUNK))
            if has_errors:
                self._stderr.feed(channel.recv_stderr(_CHUNK))
        return True

    def _result(self) -> Output | None:
        end = find_exit(self._stderr)
        if end is None and self._channel.closed and not self.has_shell:
            return self._without_shell()
        if end is None:
            return None
        self.end_seen = True
        if not end.killed:
            return self._build_output(end.exit, ExitReason.EXITED, 0)
        return self._build_output(None, self._ending, end.left, end.unclear, end.kept)

    def _without_shell(self) -> Output | None:
        """Build the output of a login shell that exited first, as `nologin` does.

        It is never a success: a menu program that ends well has not run the command either.
        """
        status = self._channel.exit_status
        if status < 0:
            return None
        self.end_seen = True
        return self._build_output(status or _NO_SHELL, ExitReason.EXITED, 0)

    def _build_output(
        self,
        status: int | None,
        ending: ExitReason,
        left: int | None,
        unclear: int = 0,
        kept: int = 0,
    ) -> Output:
        return Output(
            exit=status,
            stdout=self._stdout.finish(),
            stderr=self._stderr.finish(),
            seconds=self.age,
            truncated=self._stdout.truncated or self._stderr.truncated,
            exit_reason=ending,
            left=left,
            unclear=unclear,
            kept=kept,
            no_shell=not self.has_shell and ending in {ExitReason.EXITED, ExitReason.TIMED_OUT},
        )


def _line_callback(on_output: OnOutput | None, stream: str) -> Callable[[str], None] | None:
    return (lambda text: on_output(stream, text)) if on_output else None
