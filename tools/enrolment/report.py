"""What a probe found, as one value that is stored and shown."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from guardia.i18n import t
from guardia.org.directory import Facts, Service
from guardia.tools.enrolment.endpoint_facts import EndpointFindings
from guardia.tools.enrolment.socket_facts import SocketFindings
from guardia.tools.enrolment.system_facts import SystemFindings

_PARTS = frozenset({
    "os", "init", "shell", "charmap", "sudo", "no_sudo", "inodes", "tcp", "ss", "process", "unit",
    "openssl",
})  # fmt: skip


class ProposedService(BaseModel):
    """A proposed service and why it is proposed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: Service
    why: str


class ProbeReport(BaseModel):
    """Facts of a server, what could not be read, and the proposed services."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    facts: Facts
    system: SystemFindings
    running: SocketFindings
    answering: EndpointFindings
    clock_offset: float
    """Seconds by which the server's clock is ahead of the board's."""
    kind: str
    proposals: tuple[ProposedService, ...]

    def as_result(self) -> dict[str, Any]:
        """Return the report as it is stored for the server's page."""
        return {**self.model_dump(mode="json"), "not_read": list(self.unreadable())}

    def unreadable(self) -> tuple[str, ...]:
        """Return, as sentences, what could not be read."""
        parts = dict.fromkeys(
            (*self.system.unreadable, *self.running.unreadable, *self.answering.unreadable)
        )
        return tuple(t(f"enrolment.unreadable.{part}") for part in parts if part in _PARTS)
