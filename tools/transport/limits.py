"""Limits of connections and commands."""

from __future__ import annotations

from dataclasses import dataclass

from guardia.settings import Settings


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """Limits of connections and commands; times in seconds."""

    connect: float = 10.0
    """For a TCP connection, and for a channel on a connection that is in use."""
    login: float = 30.0
    """What a server may take on top until its first channel is open: where it asks name servers,
    directories or a session manager that do not answer, it waits for them first."""
    termination: float = 5.0
    """Time for the server to end a command and to confirm it."""
    keepalive: float = 15.0
    idle: float = 600.0
    """Time after which an unused connection is closed."""
    channels: int = 8
    """Concurrent commands per connection; OpenSSH allows 10."""
    connections: int = 4
    """Connections per host."""
    forwards: int = 200
    """Servers behind one connection of a bastion."""
    server_commands: int = 16
    """Concurrent commands per server."""
    institution_commands: int = 200
    """Concurrent commands on all servers of an institution."""
    institution_connections: int = 500
    """Connections to all servers of an institution."""
    wait: float = 60.0
    """Time that a command waits for its turn where a limit is reached."""
    output: int = 1_000_000
    """Bytes kept of each output stream of a command."""
    received: int = 200_000_000
    """Bytes of all its output until a command is ended: nothing reads so much."""
    buffered: int = 16_000_000
    """Bytes waiting to be read; a server that ignores its window sends more."""

    @property
    def first_channel(self) -> float:
        """From the first packet to the first open channel."""
        return self.connect + self.login

    @classmethod
    def of(cls, settings: Settings) -> TransportLimits:
        """Return the limits that an operator has set."""
        return cls(
            login=settings.ssh_login_seconds,
            keepalive=settings.ssh_keepalive,
            connections=settings.ssh_connections_per_server,
            server_commands=settings.ssh_commands_per_server,
            institution_commands=settings.ssh_commands_per_institution,
            institution_connections=settings.ssh_connections_per_institution,
        )
