"""What the kill switch did."""

from __future__ import annotations

from dataclasses import dataclass

from guardia.board.core.stop_sockets import HostStopped


@dataclass(frozen=True, slots=True)
class KillResult:
    """Result of activating the switch."""

    kill_id: int
    stopped: int
    """Number of running tasks taken from their agents."""
    undoing: int
    """Number of those that may have changed something and are being undone."""
    already_on: bool = False
    """Whether the switch was on before; nothing was changed then."""
    local: HostStopped | None = None
    """What was ended on this host without the board, because the board did not accept it."""

    @property
    def is_recorded(self) -> bool:
        """Whether the board knows of the stop; if not, only this host was stopped."""
        return self.local is None
