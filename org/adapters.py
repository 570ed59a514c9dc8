"""Adapters of external agents: what runs an agent instead of our own graph, and its limits.

An agent's chart entry names one `adapter`. Whichever kind it is, it gets one task at a time, a
token that is valid only while its beat holds that task, and the board's API; never a key, a
database or a shell on a server.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from guardia.i18n import t
from guardia.org import addresses

_UNITS = {"s": 1, "m": 60, "h": 3600}
_RESERVED = ("GUARDIA_", "LD_")
_MAX_SECONDS = 4 * 3600


def _check_duration(text: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,3}[smh]", text):
        raise ValueError(t("org.adapter.duration"))
    if int(text[:-1]) * _UNITS[text[-1]] > _MAX_SECONDS:
        raise ValueError(t("org.adapter.longest"))
    return text


def _check_address(text: str) -> str:
    if not addresses.is_address(text):
        raise ValueError(t("org.adapter.address"))
    parts = urlsplit(text)
    if parts.username or parts.password or parts.fragment:
        raise ValueError(t("org.adapter.secret_in_address"))
    return text


def _check_variables(found: dict[str, str]) -> dict[str, str]:
    for name in found:
        if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", name) or name.startswith(_RESERVED):
            raise ValueError(t("org.adapter.variable", name=name[:64]))
    return found


Duration = Annotated[str, AfterValidator(_check_duration)]
Address = Annotated[str, AfterValidator(_check_address)]
Variables = Annotated[dict[str, str], AfterValidator(_check_variables)]
CredentialName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
AccountName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]
Argument = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]+$")]


class _AdapterBase(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    timeout: Duration = "15m"
    """Longest duration of one beat."""
    calls: int = Field(default=200, ge=1, le=10_000)
    """Most requests to the board in one beat."""

    @property
    def seconds(self) -> int:
        """`timeout` in seconds."""
        return int(self.timeout[:-1]) * _UNITS[self.timeout[-1]]


class ProcessLimits(BaseModel):
    """Limits that the kernel enforces on a program and all its children."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    processes: int = Field(default=64, ge=1, le=4096)
    """Processes and threads at the same time."""
    memory_mb: int = Field(default=2048, ge=16, le=1 << 20)
    """Data segment of one process, MiB."""
    cpu_seconds: int = Field(default=900, ge=1, le=86_400)
    """Processor time of one process."""
    file_mb: int = Field(default=64, ge=1, le=1 << 16)
    """Size of one written file, MiB."""


class _ProgramAdapter(_AdapterBase):
    account: AccountName | None = None
    """Account that runs the program. Unset: an unprivileged uid of its own, which requires a worker
    that runs as root."""
    trust_account: bool = False
    """Run the program under the worker's own account if that is not root. The program can then read
    everything that the worker can, so set it only for programs that you trust."""
    environment: Variables = {}
    """Additional environment variables; nothing secret."""
    limits: ProcessLimits = ProcessLimits()


class ProcessAdapter(_ProgramAdapter):
    """Any program; it receives the task as JSON on standard input and in a file."""

    kind: Literal["process"]
    command: tuple[Argument, ...] = Field(min_length=1, max_length=64)
    """Program and arguments, run without a shell."""


class HttpAdapter(_AdapterBase):
    """A service that is called by a signed webhook and works through the board's API."""

    kind: Literal["http"]
    url: Address
    """The only address that is called; redirects are not followed."""
    secret: CredentialName
    """Name of the webhook's signing key in the credential store."""


class ClaudeCodeAdapter(_ProgramAdapter):
    """The Claude Code CLI, headless, with our MCP server as its only tools."""

    kind: Literal["claude_code"]
    command: tuple[Argument, ...] = Field(default=("claude",), min_length=1, max_length=8)
    """Program name of the CLI."""
    model: Annotated[str, StringConstraints(pattern=r"^[\w.:/@-]{1,120}$")] | None = None
    max_turns: int = Field(default=40, ge=1, le=1000)
    max_budget_usd: float = Field(default=2.0, gt=0, le=1000)
    """The CLI's own spending limit for one beat, US dollars."""
    base_url: Address | None = None
    """Address of the model's API, e.g. a gateway inside a closed network."""
    api_key: CredentialName | None = None
    """Name of the API key in the credential store."""


Adapter = Annotated[ProcessAdapter | HttpAdapter | ClaudeCodeAdapter, Field(discriminator="kind")]
"""What an agent's entry may name as `adapter`."""
