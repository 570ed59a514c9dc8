"""Open an SSH connection: verify the server's key, authenticate, explain failures."""

from __future__ import annotations

import random
import socket
import time
from contextlib import suppress
from typing import Protocol

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from guardia.errors import Unreachable
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools.transport import hostkey
from guardia.tools.transport.limits import TransportLimits
from guardia.tools.transport.private_key import load_private_key

CONNECTION_ERRORS = (paramiko.SSHException, EOFError, OSError)
"""Raised by paramiko when a connection breaks."""


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
    while True:
        try:
            return _attempt(host, pinned, key, limits)
        except CONNECTION_ERRORS as error:
            # Under a burst of log-ins a server drops some connections before its banner.
            pause = random.uniform(0.1, 0.4)
            transient = type(error) in (paramiko.SSHException, EOFError, ConnectionResetError)
            if not transient or time.monotonic() + pause >= deadline:
                raise _to_unreachable(host, error) from error
            time.sleep(pause)


def _attempt(
    host: Host, pinned: tuple[str, bytes], key: paramiko.PKey, limits: TransportLimits
) -> paramiko.Transport:
    sock = _socket(host, limits.connect)
    transport = paramiko.Transport(sock)
    # paramiko polls ten times a second for a closed socket; close() wakes it anyway.
    sock.settimeout(1.0)
    transport.banner_timeout = transport.handshake_timeout = limits.connect
    transport.auth_timeout = limits.connect
    try:
        transport.get_security_options().key_types = hostkey.algorithms(pinned[0])
        transport.start_client(timeout=limits.connect)
        offered = transport.get_remote_server_key()
        if (offered.get_name(), offered.asbytes()) != pinned:
            raise unreachable(host, "host_key")
        if transport.auth_publickey(host.account, key):
            raise paramiko.AuthenticationException  # this host demands more than the key
        transport.set_keepalive(limits.keepalive)  # type: ignore[arg-type,unused-ignore]
    except BaseException:
        close(transport)
        raise
    return transport


class _QuickAckSocket(socket.socket):
    """Socket that acknowledges at once: sshd delays its first answer by 40 ms until the ACK."""

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return super().recv(size, flags)


def _socket(host: Host, seconds: float) -> socket.socket:
    plain = socket.create_connection((host.address, host.port), timeout=seconds)
    sock = _QuickAckSocket(fileno=plain.detach())
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


def _to_unreachable(host: Host, error: Exception) -> Unreachable:
    if isinstance(error, IncompatiblePeer):
        # Most likely the pinned key's type is not offered: another host, or a new key.
        return unreachable(host, "incompatible", error=str(error)[:120])
    if isinstance(error, paramiko.AuthenticationException):
        return unreachable(host, "refused_key", account=host.account)
    if isinstance(error, TimeoutError):
        return unreachable(host, "timeout")
    if isinstance(error, socket.gaierror):
        return unreachable(host, "no_address", address=host.address)
    if isinstance(error, ConnectionRefusedError):
        return unreachable(host, "no_sshd", address=f"{host.address}:{host.port}")
    return unreachable(host, "lost", error=type(error).__name__)


def unreachable(host: Host, reason: str, **values: object) -> Unreachable:
    """Build the error for a command that certainly did not start.

    `reason` is a key below `tools.ssh`.
    """
    return Unreachable(server=host.server_id, why=t(f"tools.ssh.{reason}", **values))
