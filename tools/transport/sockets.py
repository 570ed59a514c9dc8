"""What an SSH connection runs over: a TCP socket, or a channel through the hop before.

Both keep the first bytes of the other side, which say what answered if it is no SSH server.
"""

from __future__ import annotations

import socket
from typing import Any

import paramiko

from guardia.org.directory import Host

_MAX_BANNER_BYTES = 65_536
"""Bytes before the end of the banner; RFC 4253 permits lines before it."""
_ORIGIN = ("127.0.0.1", 0)
"""Origin of a forwarded connection as reported to the hop; our address is no concern of it."""


class _FirstBytes:
    """The first bytes received, bounded before the banner."""

    def __init__(self) -> None:
        self.seen = b""
        self._has_banner = False

    def add(self, data: bytes) -> None:
        """Raise `ConnectionAbortedError` if too much comes before the banner."""
        if self._has_banner:
            return
        self.seen += data
        begun = self.seen.find(b"SSH-")
        self._has_banner = begun >= 0 and b"\n" in self.seen[begun:]
        if len(self.seen) > _MAX_BANNER_BYTES:
            raise ConnectionAbortedError("too much before the banner")


class RecordingSocket(socket.socket):
    """Socket that keeps the first bytes.

    It acknowledges at once: sshd delays its first answer by 40 ms until the ACK.
    """

    _first: _FirstBytes

    @property
    def seen(self) -> bytes:
        """The first bytes received."""
        return self._first.seen

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Receive bytes."""
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        data = super().recv(size, flags)
        self._first.add(data)
        return data


class RecordingChannel:
    """Channel through a hop, used like a socket, that keeps the first bytes."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._first = _FirstBytes()

    @property
    def seen(self) -> bytes:
        """The first bytes received."""
        return self._first.seen

    @property
    def _closed(self) -> bool:  # paramiko looks at this attribute of its socket
        return self._channel.closed

    def recv(self, size: int) -> bytes:
        """Receive bytes."""
        data = self._channel.recv(size)
        self._first.add(data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)


def open_socket(host: Host, seconds: float) -> RecordingSocket:
    """Open a TCP connection to a host."""
    plain = socket.create_connection((host.address, host.port), timeout=seconds)
    sock = RecordingSocket(fileno=plain.detach())
    sock._first = _FirstBytes()
    # With Nagle's algorithm the next command on an open connection waits for 40 ms.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
    return sock


def open_hop(through: paramiko.Transport, host: Host, seconds: float) -> RecordingChannel:
    """Open a TCP connection from a hop to a host."""
    target = (host.address, host.port)
    channel = through.open_channel("direct-tcpip", target, _ORIGIN, timeout=seconds)
    return RecordingChannel(channel)
