"""Channels on kept connections, which are opened through any number of hops.

Raises `Unreachable` where no channel can be opened: then nothing was sent to the server.
"""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from functools import partial

import paramiko

from guardia.errors import Unreachable
from guardia.org.directory import Host
from guardia.tools.transport.breaker import CircuitBreaker
from guardia.tools.transport.connect import (
    CONNECTION_ERRORS,
    connect,
    fetch_host_key,
    unreachable,
)
from guardia.tools.transport.fair_limit import FairLimit
from guardia.tools.transport.kept_shell import KeptShell, SshConnection
from guardia.tools.transport.limits import TransportLimits
from guardia.tools.transport.pool import ConnectionPool, PoolClosed, PooledConnection, PoolExhausted
from guardia.tools.transport.refusals import RefusedSecrets
from guardia.tools.transport.sign_in import SecretStore, SignIn
from guardia.tools.transport.way import Way, behind, last_hop, require_passable, way_to

Pooled = PooledConnection[SshConnection]


class Channels:
    """Opens channels to any number of hosts; thread-safe."""

    def __init__(
        self, secrets: SecretStore, limits: TransportLimits, refused: RefusedSecrets
    ) -> None:
        self.limits = limits
        self._secrets = secrets
        self._refused = refused
        self._breaker: CircuitBreaker[Way] = CircuitBreaker()
        self._pool: ConnectionPool[tuple[str, Way], SshConnection] = ConnectionPool(
            channels=limits.channels, connections=limits.connections, idle=limits.idle
        )
        self._opened: FairLimit[str] = FairLimit(limits.institution_connections)

    def open(self, host: Host) -> tuple[Pooled, paramiko.Channel]:
        """Open a channel on a kept connection if possible, or on a new one."""
        pooled, channel, _ = self._open(host, may_reuse=False)
        return pooled, channel

    def take(self, host: Host) -> tuple[Pooled, paramiko.Channel, KeptShell | None]:
        """Return a waiting shell with its channel, or a new channel as `open` does."""
        return self._open(host, may_reuse=True)

    def release(self, pooled: Pooled, *, retire: bool = False) -> None:
        """Release the channel of a connection; `retire` keeps it from opening another."""
        self._pool.release(pooled, retire=retire)

    def record_silence(self, host: Host) -> None:
        """Remember that a server let a request go unanswered."""
        self._breaker.record(way_to(host), unreachable(host, "no_answer"))

    def offered_key(self, host: Host) -> str:
        """Return the public key that a server offers, without signing in to it."""
        require_passable(host)
        deadline = self._deadline(host)
        if not host.hops:
            return fetch_host_key(host, deadline)
        hop = self._hop(host, deadline)
        try:
            return fetch_host_key(host, deadline, hop.connection.transport)
        finally:
            self._pool.release(hop)

    def close(self) -> None:
        """Close all connections, which ends everything that still runs over them."""
        self._pool.close()

    def _deadline(self, host: Host) -> float:
        return time.monotonic() + self.limits.connect * (1 + len(host.hops))

    def _open(
        self, host: Host, *, may_reuse: bool
    ) -> tuple[Pooled, paramiko.Channel, KeptShell | None]:
        require_passable(host)
        way = way_to(host)
        with self._breaker.asking(way):
            deadline, broken = self._deadline(host), 0
            while True:
                pooled = self._acquire(host, way, deadline)
                connection = pooled.connection
                left = max(1.0, deadline - time.monotonic())
                try:
                    if may_reuse and (shell := connection.take_shell(left)):
                        return pooled, shell.channel, shell
                    return pooled, connection.transport.open_session(timeout=left), None
                except CONNECTION_ERRORS as error:
                    full = _is_refusal(error) and connection.is_alive()
                    if full and not connection.end_shells():
                        pooled.mark_full()  # it allows fewer sessions per connection than we do
                    self._pool.release(pooled, retire=not full)
                    broken += not full
                    if broken > 1 or (full and time.monotonic() >= deadline):
                        raise unreachable(host, *_channel_reason(error, full=full)) from error
                time.sleep(random.uniform(0.01, 0.05))

    def _acquire(
        self,
        host: Host,
        way: Way,
        deadline: float,
        use: str = "commands",
        channels: int | None = None,
    ) -> Pooled:
        try:
            return self._pool.acquire(
                (use, way),
                partial(self._connect, host, deadline),
                deadline,
                group=host.institution,
                channels=channels,
            )
        except PoolExhausted:
            raise self._breaker.known(way) or unreachable(host, "busy") from None
        except PoolClosed:
            raise unreachable(host, "closed") from None

    def _connect(self, host: Host, deadline: float) -> SshConnection:
        """Open a connection, through its hops if it has any."""
        sign_in = SignIn.load(host, self._secrets)
        with ExitStack() as opened, self._refused.signing_in(host, sign_in):
            self._take_connection(host, deadline)
            opened.callback(self._opened.give_back, host.institution)
            through = None
            if host.hops:
                hop = self._hop(host, deadline)
                opened.callback(self._pool.release, hop)
                through = hop.connection.transport
            transport = connect(host, sign_in, self.limits, deadline, through)
            return SshConnection(transport, opened.pop_all())

    def _take_connection(self, host: Host, deadline: float) -> None:
        """Take a place among the connections of the institution; close an unused one for it."""
        group, now = host.institution, time.monotonic()
        while not self._opened.take(group, now):
            if not self._pool.close_idle(group):
                if not self._opened.take(group, deadline):
                    raise unreachable(host, "too_many_connections")
                return

    def _hop(self, host: Host, deadline: float) -> Pooled:
        """Return a connection to the last hop before a server, shared by all servers behind it."""
        hop = last_hop(host)
        way = way_to(hop)
        try:
            with self._breaker.asking(way):
                return self._acquire(hop, way, deadline, "hop", self.limits.forwards)
        except Unreachable as error:
            raise behind(host, hop, error) from error


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
