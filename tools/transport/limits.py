"""Bounds of connections and commands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """Bounds of connections and commands; times in seconds."""

    connect: float = 10.0
    """From the first packet to an open channel."""
    termination: float = 5.0
    """How long the server may take to end a command and to confirm it."""
    keepalive: float = 15.0
    idle: float = 600.0
    """After which an unused connection is closed."""
    channels: int = 8
    """Commands at once on one connection; OpenSSH allows 10."""
    connections: int = 4
    """Connections to one host."""
    output: int = 1_000_000
    """Bytes kept of each stream of a command."""
