"""Open an SSH connection: verify the server's key, authenticate, explain failures."""

from __future__ import annotations

import logging
import random
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

import paramiko
from paramiko.common import OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
from paramiko.ssh_exception import IncompatiblePeer

from guardia.errors import Unreachable
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools.output import decode
from guardia.tools.transport.hostkey import (
    HostIdentity,
    all_algorithms,
    expected_identity,
    written,
)
from guardia.tools.transport.limits import TransportLimits
from guardia.tools.transport.sign_in import SecureTransport, SignIn, SignInRefused
from guardia.tools.transport.sockets import (
    RecordingChannel,
    RecordingSocket,
    open_hop,
    open_socket,
)

# It logs each failed attempt with a traceback, on standard error if there is no handler. What went
# wrong is in our own errors.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False

CONNECTION_ERRORS = (paramiko.SSHException, EOFError, OSError)
"""Raised by paramiko when a connection breaks."""
_SEEN_BYTES = 60
"""Bytes of a strange answer that are shown."""


def connect(
    host: Host,
    sign_in: SignIn,
    limits: TransportLimits,
    deadline: float,
    through: paramiko.Transport | None = None,
) -> paramiko.Transport:
    """Open a verified and authenticated connection, `through` that of the hop before, if any.

    Raises `Unreachable` if that fails.
    """
    try:
        identity = expected_identity(host)
    except ValueError:
        raise unreachable(host, "no_host_key") from None
    if sign_in.expired_certificate():
        raise unreachable(host, "expired_certificate", {"account": host.account})
    deadline = min(deadline, time.monotonic() + limits.first_channel)
    while True:
        attempt = _Attempt(host, limits, identity, sign_in, through)
        try:
            return attempt.run(deadline)
        except CONNECTION_ERRORS as error:
            if attempt.lacks_key_type(error):
                raise _other_type(host, limits, deadline, through) from error
            # Under a burst of log-ins a server drops some connections before its banner.
            pause = random.uniform(0.1, 0.4)
            if not attempt.was_dropped(error) or time.monotonic() + pause >= deadline:
                raise unreachable(host, *attempt.explain(error)) from error
            time.sleep(pause)


def _other_type(
    host: Host, limits: TransportLimits, deadline: float, through: paramiko.Transport | None
) -> Unreachable:
    """Build the error for a server that has no host key of the expected type: name what it has."""
    if host.login.host_ca:
        return unreachable(host, "no_host_certificate")
    offered = fetch_host_key(host, limits, deadline, through)
    return unreachable(host, "host_key", {"offered": offered})


def fetch_host_key(
    host: Host,
    limits: TransportLimits,
    deadline: float,
    through: paramiko.Transport | None = None,
) -> str:
    """Return the public key that a server offers, without signing in. Raises `Unreachable`."""
    attempt = _Attempt(host, limits, None, None, through)
    try:
        return attempt.fetch_key(deadline)
    except CONNECTION_ERRORS as error:
        raise unreachable(host, *attempt.explain(error)) from error


class _Attempt:
    """One attempt to connect, which knows how far it came."""

    def __init__(
        self,
        host: Host,
        limits: TransportLimits,
        identity: HostIdentity | None,
        sign_in: SignIn | None,
        through: paramiko.Transport | None,
    ) -> None:
        self._host = host
        self._limits = limits
        self._identity = identity
        self._sign_in = sign_in
        self._through = through
        self._stage = "tcp"
        self._sock: RecordingSocket | RecordingChannel | None = None

    def run(self, deadline: float) -> paramiko.Transport:
        """Connect, verify the server's key, authenticate; all of it until `deadline`."""
        assert self._identity is not None and self._sign_in is not None
        transport = self._open(self._identity.algorithms, deadline)
        try:
            self._handshake(transport, deadline)
            self._verify(transport)
            self._stage = "auth"
            self._sign_in.run(transport, deadline)
            transport.set_keepalive(self._limits.keepalive)  # type: ignore[arg-type,unused-ignore]
        except BaseException:
            close(transport)
            raise
        return transport

    def fetch_key(self, deadline: float) -> str:
        """Return the key that the server offers, and close the connection."""
        transport = self._open(all_algorithms(), deadline)
        try:
            self._handshake(transport, deadline)
            return written(transport.get_remote_server_key())
        finally:
            close(transport)

    def _open(self, algorithms: tuple[str, ...], deadline: float) -> SecureTransport:
        seconds = min(self._limits.connect, max(0.1, deadline - time.monotonic()))
        if self._through is None:
            self._sock = open_socket(self._host, seconds)
        else:
            self._sock = open_hop(self._through, self._host, seconds)
        transport = SecureTransport(self._sock, algorithms)
        # paramiko polls ten times a second for a closed socket; close() wakes it anyway.
        self._sock.settimeout(1.0)
        return transport

    def _handshake(self, transport: SecureTransport, deadline: float) -> None:
        self._stage = "banner"
        left = max(0.1, deadline - time.monotonic())
        transport.banner_timeout = transport.handshake_timeout = left
        transport.start_client(timeout=left)
        if not transport.initial_kex_done:
            raise TimeoutError

    def _verify(self, transport: SecureTransport) -> None:
        assert self._identity is not None
        offered = transport.get_remote_server_key()
        if problem := self._identity.problem(offered):
            raise unreachable(self._host, problem, {"offered": written(offered)})

    def was_dropped(self, error: Exception) -> bool:
        """Return whether the server dropped the connection before its banner."""
        return self._reason(error) == "dropped"

    def lacks_key_type(self, error: Exception) -> bool:
        """Return whether the server has no host key of the expected type."""
        return isinstance(error, IncompatiblePeer) and "no acceptable host key" in str(error)

    def explain(self, error: Exception) -> tuple[str, dict[str, object]]:
        """Return the reason, a key below `tools.ssh`, and its details."""
        seen = self._sock.seen if self._sock else b""
        details = {
            "address": f"{self._host.address}:{self._host.port}",
            "account": self._host.account,
            "seen": decode(seen.split(b"\n")[0][:_SEEN_BYTES]).strip(),
            "hop": self._host.hops[-1].server_id if self._host.hops else "-",
            "error": str(error)[:120],
        }
        if isinstance(error, SignInRefused):
            return error.reason, details | error.details
        return self._reason(error), dict(details)

    def _reason(self, error: Exception) -> str:
        if self._stage == "tcp":
            return _network_reason(error) if self._through is None else _hop_reason(error)
        if isinstance(error, IncompatiblePeer):
            if "host key" in str(error):  # the pinned key's type is not offered: it is another key
                return "host_key"
            return "old_ssh" if "version" in str(error) else "incompatible"
        if self._stage == "auth":
            by_key = self._sign_in is None or self._sign_in.key is not None
            return _auth_reason(error, "key" if by_key else "password")
        return self._handshake_reason(error)

    def _handshake_reason(self, error: Exception) -> str:
        seen = self._sock.seen if self._sock else b""
        # paramiko ends its thread, and then says so, when its limit for the banner is over.
        silent = isinstance(error, TimeoutError) or "timed out" in str(error).lower()
        if not seen:
            return "silent" if silent else "dropped"
        if seen.startswith(b"HTTP/") or b"\nHTTP/" in seen:
            return "http"
        if b"SSH-" not in seen:
            return "slow_banner" if silent and b"SSH-".startswith(seen[:4]) else "not_ssh"
        if b"\n" not in seen[seen.index(b"SSH-") :]:
            return "slow_banner" if silent else "dropped"
        return "silent_kex" if silent else "broken_kex"


def _network_reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, socket.gaierror):
        return "no_address"
    if isinstance(error, ConnectionRefusedError):
        return "no_sshd"
    return "no_route"


def _hop_reason(error: Exception) -> str:
    """Say why the hop before does not connect to the server."""
    if isinstance(error, paramiko.ChannelException):
        forbidden = error.code == OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        return "hop_forbids" if forbidden else "hop_no_route"
    return "hop_timeout" if "imeout" in str(error) else "hop_lost"


def _auth_reason(error: Exception, sent: str) -> str:
    """Say why signing in ended without an answer."""
    text = str(error)
    if isinstance(error, TimeoutError) or "timeout" in text:
        return f"silent_{'auth' if sent == 'key' else sent}"
    return f"closed_after_{sent}"


def close(transport: paramiko.Transport) -> None:
    """Close a connection at once, without waiting for the other side."""
    with suppress(OSError, EOFError):  # the other side may have closed first
        transport.sock.shutdown(socket.SHUT_RDWR)
    transport.close()
    transport.sock.close()


def unreachable(
    host: Host, reason: str, details: Mapping[str, object] | None = None
) -> Unreachable:
    """Build the error for a command that certainly did not start.

    `reason` is a key below `tools.ssh`. The error's details keep a host key that differs as
    `offered`, as the CMDB would hold it, and what a login shell `said` instead of running it.
    """
    known = dict(details or {})
    why = t(f"tools.ssh.{reason}", **known)
    kept = {name: known[name] for name in ("offered", "said") if known.get(name)}
    return Unreachable(server=host.server_id, why=why, reason=reason, **kept)
