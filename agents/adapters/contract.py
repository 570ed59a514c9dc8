"""What an outside agent is sent out with, and what starts, awaits and ends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from guardia.board.external_agents.sessions import SessionEnd
from guardia.org.credential_store import CredentialStore


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """One turn of an outside agent on one task."""

    session_id: int
    task: dict[str, Any]
    """The task as JSON; holds no token."""
    api: str
    """Address of the task at the board's API."""
    token: str = field(repr=False)
    role: str = ""
    """The role's instructions, where the chart names any."""


@dataclass(frozen=True, slots=True)
class HostResources:
    """What the worker's host gives for it."""

    folder: Path
    """Below it each turn has a private folder."""
    keys: CredentialStore


class AgentHandle(Protocol):
    """An outside agent at work. Created in the loop that awaits it, and used once."""

    async def start(self) -> None:
        """Send it out; ``OperatorError`` where that cannot be done."""

    async def wait(self) -> None:
        """Until it has done by itself."""

    async def stop(self) -> SessionEnd:
        """End whatever is left of it, and say how it was."""
