"""Open an SSH connection: verify the server's key, authenticate, explain failures."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from guardia.errors import Unreachable
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools.output import decode
from guardia.tools.transport import hostkey
from guardia.tools.transport.limits import TransportLimits
from guardia.tools.transport.private_key import load_private_key

CONNECTION_ERRORS = (paramiko.SSHException, EOFError, OSError)
"""Raised by paramiko when a connection breaks."""
_MAX_BANNER_BYTES = 65_536
"""Bytes before the end of the banner; RFC 4253 permits lines before it."""
_SEEN_BYTES = 60
"""Bytes of a strange answer that are shown."""


class PrivateKeyStore(Protocol):
    """Store of private keys."""

    def get(self, name: str) -> str:
        """Return the PEM text of the private key called `name`."""
        ...


def connect(
    host: Host, secrets: PrivateKeyStore, limits: TransportLimits, deadline: float
) -> paramiko.Transport:
    """Open a verified and authenticated connection. Raises `Unreachable` if that fails."""
    key = load_private_key(host.credential, secrets.get(host.credential))
    try:
        pinned = hostkey.parse(host.host_key)
    except ValueError:
        raise unreachable(host, "no_host_key") from None
    deadline = min(deadline, time.monotonic() + limits.connect)
    while True:
        attempt = _Attempt(host, key, pinned)
        try:
            return attempt.run(limits, deadline)
        except CONNECTION_ERRORS as error:
            # Under a burst of log-ins a server drops some connections before its banner.
            pause = random.uniform(0.1, 0.4)
            if not attempt.was_dropped(error) or time.monotonic() + pause >= deadline:
                raise unreachable(host, *attempt.explain(error)) from error
            time.sleep(pause)


class _Attempt:
    """One attempt to connect, which knows how far it came."""

    def __init__(self, host: Host, key: paramiko.PKey, pinned: tuple[str, bytes]) -> None:
        self._host = host
        self._key = key
        self._pinned = pinned
        self._stage = "tcp"
        self._sock: _RecordingSocket | None = None

    def run(self, limits: TransportLimits, deadline: float) -> paramiko.Transport:
        """Connect, verify the server's key, authenticate; all of it until `deadline`."""
        self._sock = _socket(self._host, max(0.1, deadline - time.monotonic()))
        transport = paramiko.Transport(self._sock)
        # paramiko polls ten times a second for a closed socket; close() wakes it anyway.
        self._sock.settimeout(1.0)
        try:
            self._handshake(transport, deadline)
            self._authenticate(transport, deadline)
            transport.set_keepalive(limits.keepalive)  # type: ignore[arg-type,unused-ignore]
        except BaseException:
            close(transport)
            raise
        return transport

    def _handshake(self, transport: paramiko.Transport, deadline: float) -> None:
        self._stage = "banner"
        left = max(0.1, deadline - time.monotonic())
        transport.banner_timeout = transport.handshake_timeout = left
        transport.get_security_options().key_types = hostkey.algorithms(self._pinned[0])
        transport.start_client(timeout=left)
        if not transport.initial_kex_done:
            raise TimeoutError
        offered = transport.get_remote_server_key()
        if (offered.get_name(), offered.asbytes()) != self._pinned:
            raise unreachable(self._host, "host_key")

    def _authenticate(self, transport: paramiko.Transport, deadline: float) -> None:
        self._stage = "auth"
        transport.auth_timeout = max(0.1, deadline - time.monotonic())
        if transport.auth_publickey(self._host.account, self._key):
            raise paramiko.AuthenticationException  # this host demands more than the key

    def was_dropped(self, error: Exception) -> bool:
        """Return whether the server dropped the connection before its banner."""
        return self._reason(error) == "dropped"

    def explain(self, error: Exception) -> tuple[str, dict[str, object]]:
        """Return the reason, a key below `tools.ssh`, and its details."""
        seen = self._sock.seen if self._sock else b""
        details = {
            "address": f"{self._host.address}:{self._host.port}",
            "account": self._host.account,
            "seen": decode(seen.split(b"\n")[0][:_SEEN_BYTES]).strip(),
            "error": str(error)[:120],
        }
        return self._reason(error), dict(details)

    def _reason(self, error: Exception) -> str:
        if self._stage == "tcp":
            return _network_reason(error)
        if isinstance(error, IncompatiblePeer):
            # Most likely the pinned key's type is not offered: another host, or a new key.
            return "old_ssh" if "version" in str(error) else "incompatible"
        if self._stage == "auth":
            return _auth_reason(error)
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


def _auth_reason(error: Exception) -> str:
    """Say why signing in failed; paramiko raises the same error for all of it."""
    text = str(error)
    if isinstance(error, TimeoutError) or "timeout" in text:
        return "silent_auth"
    if "shut down or saw EOF" in text or not isinstance(error, paramiko.AuthenticationException):
        return "closed_after_key"
    return "refused_key"


class _RecordingSocket(socket.socket):
    """Socket that remembers what came first, and bounds what comes before the banner.

    It acknowledges at once: sshd delays its first answer by 40 ms until the ACK.
    """

    seen = b""
    """The first bytes received."""
    _has_banner = False

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Receive bytes. Raises `ConnectionAbortedError` if too much comes before the banner."""
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        data = super().recv(size, flags)
        if not self._has_banner:
            self.seen += data
            begun = self.seen.find(b"SSH-")
            self._has_banner = begun >= 0 and b"\n" in self.seen[begun:]
            if len(self.seen) > _MAX_BANNER_BYTES:
                raise ConnectionAbortedError("too much before the banner")
        return data


def _socket(host: Host, seconds: float) -> _RecordingSocket:
    plain = socket.create_connection((host.address, host.port), timeout=seconds)
    sock = _RecordingSocket(fileno=plain.detach())
    # With Nagle's algorithm the next command on an open connection waits for 40 ms.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
    return sock


def close(transport: paramiko.Transport) -> None:
    """Close a connection at once, without waiting for the other side."""
    with suppress(OSError):  # the other side may have closed first
        transport.sock.shutdown(socket.SHUT_RDWR)
    transport.close()
    transport.sock.close()


def unreachable(
    host: Host, reason: str, details: Mapping[str, object] | None = None
) -> Unreachable:
    """Build the error for a command that certainly did not start.

    `reason` is a key below `tools.ssh`.
    """
    why = t(f"tools.ssh.{reason}", **(details or {}))
    return Unreachable(server=host.server_id, why=why, reason=reason)
