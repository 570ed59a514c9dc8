"""Options under which a fleet runs on this machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FleetOptions:
    """What the kernel permits, and which launcher waits for the fleet."""

    isolated: bool
    """Whether the fleet has its own process namespace."""
    volumes: bool
    """Whether to mount small file systems."""
    launcher_pipe: int
    """A descriptor that is closed when the launcher ends."""
    launcher_pid: int
    """The launcher's process id outside the namespace."""
