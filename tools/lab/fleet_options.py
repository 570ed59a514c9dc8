"""Under which conditions a fleet runs on this machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FleetOptions:
    """What the kernel lends, and who waits for the fleet."""

    isolated: bool
    """Whether the fleet has a process namespace of its own."""
    volumes: bool
    """Whether to ask the kernel for small file systems."""
    launcher_pipe: int
    """A descriptor that ends with the first process."""
    launcher_pid: int
    """The first process's number outside."""
