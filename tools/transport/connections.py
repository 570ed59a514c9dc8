"""Transport over kept SSH connections.

`Unreachable` always means that the command certainly did not start. A command that may have started
is never sent again; `run` then returns what is known of its end.
"""

from __future__ import annotations

import hashlib
import random
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

import paramiko

from guardia.errors import GuardiaError, Unreachable
from guardia.org.directory import Host
from guardia.tools.command import MASK, Command, Secret, StoredSecret
from guardia.tools.output import ExitReason, Output
from guardia.tools.privilege import find_refusal
from guardia.tools.transport.breaker import CircuitBreaker
from guardia.tools.transport.channel import CommandNotStarted, OnOutput, RunningCommand
from guardia.tools.transport.connect import (
    CONNECTION_ERRORS,
    close,
    connect,
    fetch_host_key,
    unreachable,
)
from guardia.tools.transport.events import BoundedEvent
from guardia.tools.transport.fair_limit import FairLimit
from guardia.tools.transport.limits import TransportLimits
from guardia.tools.transport.pool import ConnectionPool, PoolClosed, PooledConnection, PoolExhausted
from guardia.tools.transport.sftp import ContentStore, Transfer
from guardia.tools.transport.sign_in import SecretStore, SignIn
from guardia.tools.transport.supervised_shell import (
    FenceGuard,
    SupervisedCommand,
    terminate_command,
)
from guardia.tools.transport.way import Way, behind, last_hop, require_passable, way_to

_REFUSED_EXEC = "exec: restricted"
"""What a restricted bash or ksh says if it is to replace itself."""
_REFUSED_FOR = 900.0
"""Seconds until a refused password is tried again, and then twice as long: an account is locked
after some failures within a quarter of an hour."""
_REFUSED_AT_MOST = 86_400.0
_REFUSED_SECRETS = frozenset({"refused_password", "refused_further", "expired_password"})


class Connections:
    """Kept connections to any number of hosts; thread-safe."""

    def __init__(
        self,
        secrets: SecretStore,
        limits: TransportLimits | None = None,
        contents: ContentStore | None = None,
    ) -> None:
        self._secrets = secrets
        self._contents = contents
        self._limits = limits or TransportLimits()
        self._restricted: set[Way] = set()
        self._breaker: CircuitBreaker[Way] = CircuitBreaker()
        self._refusals: CircuitBreaker[tuple[Way, bytes]] = CircuitBreaker(
            first=_REFUSED_FOR, longest=_REFUSED_AT_MOST, remembers=_is_refused_secret
        )
        self._pool: ConnectionPool[tuple[str, Way], _SshConnection] = ConnectionPool(
            channels=self._limits.channels,
            connections=self._limits.connections,
            idle=self._limits.idle,
        )
        self._server_commands: FairLimit[str] = FairLimit(self._limits.server_commands)
        self._commands: FairLimit[str] = FairLimit(self._limits.institution_commands)
        self._opened: FairLimit[str] = FairLimit(self._limits.institution_connections)

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
        on_output = _without_secrets(sent, on_output)
        with self._turn(host, cancel) as is_next:
            if not is_next:
                return Output(None, "", "", 0.0, exit_reason=ExitReason.CANCELLED)
            with self._one_attempt(host, command) as attempt:
                running, output = self._execute(host, supervised, cancel, on_output)
                attempt.append(output)
        if output is None and running.is_refused:  # the same shell would not answer either
            return running.output(None)
        return output or running.output(*self._count_left(host, supervised, running))

    def end(self, host: Host, tag: str) -> bool:
        """End every process with this tag on the server, also those started by another worker.

        Returns whether none is left. Waits for no turn. Raises `Unreachable` if the server cannot
        be asked.
        """
        ending = SupervisedCommand(terminate_command(tag), self._limits.termination + 5)
        _, output = self._execute(host, ending, threading.Event())
        return output is not None and output.exit == 0

    def offered_key(self, host: Host) -> str:
        """Return the public key that a server offers, as the CMDB holds it, without signing in.

        Nothing vouches for it: a person must confirm it. Raises `Unreachable`.
        """
        require_passable(host)
        deadline = time.monotonic() + self._limits.first_channel * (1 + len(host.hops))
        if not host.hops:
            return fetch_host_key(host, self._limits, deadline)
        hop = self._hop(host, deadline)
        try:
            return fetch_host_key(host, self._limits, deadline, hop.connection.transport)
        finally:
            self._pool.release(hop)

    @contextmanager
    def sftp(self, host: Host) -> Iterator[paramiko.SFTPClient]:
        """Open an SFTP channel on a kept connection for the block.

        Each read and write waits at most the limit for connecting. Raises `Unreachable` if the
        channel cannot be opened; within the block, paramiko's errors pass.
        """
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
        """Run one command to its end, in a way that a restricted login shell permits."""
        restricted = way_to(host) in self._restricted
        supervised = replace(supervised, may_exec=not restricted)
        try:
            running, output = self._attempt(host, supervised, cancel, on_output)
            said = output.stderr if output and output.no_shell else ""
        except Unreachable as error:
            if _REFUSED_EXEC not in str(error.detail.get("said", "")) or restricted:
                raise
            said = _REFUSED_EXEC
        if _REFUSED_EXEC in said and not restricted:
            self._restricted.add(way_to(host))
            return self._execute(host, supervised, cancel, on_output)
        return running, output

    def _attempt(
        self,
        host: Host,
        supervised: SupervisedCommand,
        cancel: threading.Event,
        on_output: OnOutput | None = None,
    ) -> tuple[RunningCommand, Output | None]:
        """Run one command to its end. Returns no output if its end was not received."""
        pooled, channel = self._channel(host)
        running = RunningCommand(channel, supervised, self._limits, on_output)
        try:
            return running, running.wait_for_end(cancel)
        except CommandNotStarted as error:
            if cancel.is_set():
                return running, Output(None, "", "", 0.0, exit_reason=ExitReason.CANCELLED)
            raise unreachable(host, error.reason, {"error": error, "said": error.said}) from None
        finally:
            if running.is_unanswered:
                self._breaker.record(way_to(host), unreachable(host, "no_answer"))
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

    @contextmanager
    def _one_attempt(self, host: Host, command: Command) -> Iterator[list[Output | None]]:
        """Run a command within the block; remember if sudo refused the password that it sent.

        Raises `Unreachable` if that password is known to be wrong.
        """
        name = host.login.sudo_credential
        if not name or StoredSecret(name) not in command.stdin:
            yield []
            return
        key = way_to(host), hashlib.sha256(self._secrets.get(name).encode()).digest()
        outputs = list[Output | None]()
        self._refusals.enter(key)
        try:
            yield outputs
        finally:
            output = outputs[-1] if outputs else None
            if output and find_refusal(output) == "refused":
                why = unreachable(host, "refused_sudo", {"account": host.account})
                self._refusals.record(key, why)
            elif output:
                self._refusals.forget(key)
            else:
                self._refusals.give_back(key)

    @contextmanager
    def _turn(self, host: Host, cancel: threading.Event) -> Iterator[bool]:
        """Wait for a turn among the commands of the server, then of its institution.

        Yields false if it was cancelled before. Raises `Unreachable` if the limit for waiting is
        over.
        """
        deadline = time.monotonic() + self._limits.wait
        places = ((self._server_commands, host.server_id), (self._commands, host.institution))
        with ExitStack() as taken:
            for limit, key in places:
                if not limit.take(key, deadline, cancel.is_set):
                    if not cancel.is_set():
                        raise unreachable(host, "too_many_commands")
                    yield False
                    return
                taken.callback(limit.give_back, key)
            yield True

    def _channel(self, host: Host) -> tuple[PooledConnection[_SshConnection], paramiko.Channel]:
        """Open a channel on a kept connection if possible, or on a new one."""
        require_passable(host)
        with self._breaker.asking(way_to(host)):
            return self._ask_channel(host)

    def _ask_channel(self, host: Host) -> tuple[PooledConnection[_SshConnection], paramiko.Channel]:
        deadline = time.monotonic() + self._limits.first_channel * (1 + len(host.hops))
        broken = 0
        while True:
            pooled = self._acquire(host, deadline)
            left = max(1.0, deadline - time.monotonic())
            try:
                return pooled, pooled.connection.open_session(left, self._limits.connect)
            except CONNECTION_ERRORS as error:
                full = _is_refusal(error) and pooled.connection.is_alive()
                if full:  # the server allows fewer sessions per connection than we do
                    pooled.mark_full()
                self._pool.release(pooled, retire=not full)
                broken += not full
                if broken > 1 or (full and time.monotonic() >= deadline):
                    raise unreachable(host, *_channel_reason(error, full=full)) from error
            time.sleep(random.uniform(0.01, 0.05))

    def _acquire(
        self, host: Host, deadline: float, use: str = "commands", channels: int | None = None
    ) -> PooledConnection[_SshConnection]:
        key = way_to(host)
        try:
            return self._pool.acquire(
                (use, key),
                partial(self._connect, host, deadline),
                deadline,
                group=host.institution,
                channels=channels,
            )
        except PoolExhausted:
            raise self._breaker.known(key) or unreachable(host, "busy") from None
        except PoolClosed:
            raise unreachable(host, "closed") from None

    def _connect(self, host: Host, deadline: float) -> _SshConnection:
        """Open a connection, through its hops if it has any."""
        sign_in = SignIn.load(host, self._secrets)
        with ExitStack() as opened, self._refusals.asking((way_to(host), sign_in.digest)):
            self._take_connection(host, deadline)
            opened.callback(self._opened.give_back, host.institution)
            through = None
            if host.hops:
                hop = self._hop(host, deadline)
                opened.callback(self._pool.release, hop)
                through = hop.connection.transport
            transport = connect(host, sign_in, self._limits, deadline, through)
            return _SshConnection(transport, opened.pop_all())

    def _take_connection(self, host: Host, deadline: float) -> None:
        """Take a place among the connections of the institution; close an unused one for it."""
        group, now = host.institution, time.monotonic()
        while not self._opened.take(group, now):
            if not self._pool.close_idle(group):
                if not self._opened.take(group, deadline):
                    raise unreachable(host, "too_many_connections")
                return

    def _hop(self, host: Host, deadline: float) -> PooledConnection[_SshConnection]:
        """Return a connection to the last hop before a server, shared by all servers behind it."""
        hop = last_hop(host)
        try:
            with self._breaker.asking(way_to(hop)):
                return self._acquire(hop, deadline, "hop", self._limits.forwards)
        except Unreachable as error:
            raise behind(host, hop, error) from error


class _SshConnection:
    """An authenticated paramiko transport, as kept by the pool."""

    def __init__(self, transport: paramiko.Transport, held: ExitStack) -> None:
        self.transport = transport
        self._held = held
        """What is given back when it is closed."""
        self._is_used = False

    def open_session(self, first: float, later: float) -> paramiko.Channel:
        """Open a channel, within these seconds for the first one and for each later one."""
        channel = self.transport.open_session(timeout=min(later, first) if self._is_used else first)
        self._is_used = True
        return channel

    def is_alive(self) -> bool:
        return self.transport.is_active()

    def close(self) -> None:
        close(self.transport)
        self._held.pop_all().close()


def _without_secrets(sent: Command, on_output: OnOutput | None) -> OnOutput | None:
    """Mask the secrets of a command's input in what is shown while it runs."""
    secrets = [p.reveal().strip() for p in sent.stdin if isinstance(p, Secret)]
    if on_output is None or not any(secrets):
        return on_output

    def masked(stream: str, text: str) -> None:
        for secret in filter(None, secrets):
            text = text.replace(secret, MASK)
        on_output(stream, text)

    return masked


def _is_refused_secret(error: Unreachable) -> bool:
    return error.detail.get("reason") in _REFUSED_SECRETS


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
