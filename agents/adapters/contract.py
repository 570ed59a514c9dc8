"""Contract of external agents: their inputs, and how they are started, awaited and stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from guardia.board.external_agents.sessions import SessionEnd
from guardia.org.credential_store import CredentialStore


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """One session of an external agent on one task."""

    session_id: int
    task: dict[str, Any]
    """The task as JSON, without the token."""
    api: str
    """URL of the task in the board's API."""
    token: str = field(repr=False)
    role: str = ""
    """The instructions of the role, if the chart names one."""


@dataclass(frozen=True, slots=True)
class HostResources:
    """Resources of the worker's host for external agents."""

    folder: Path
    """Parent of the private folder of each session."""
    keys: CredentialStore


class AgentHandle(Protocol):
    """A running external agent. Created in the loop that awaits it, and used once."""

    async def start(self) -> None:
        """Start it. Raises `OperatorError` if that is impossible."""

    async def wait(self) -> None:
        """Wait until it ends by itself."""

    async def stop(self) -> SessionEnd:
        """Stop what is left of it and return how it ended."""
