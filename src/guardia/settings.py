"""Every setting of an installation, read once from ``GUARDIA_*`` variables."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _checkout() -> Path | None:
    """The source checkout that this program runs from, or ``None`` where it was installed."""
    top = Path(__file__).resolve().parents[2]
    return top if (top / "pyproject.toml").is_file() and (top / "org").is_dir() else None


def default_home() -> Path:
    """Where data lives unless ``GUARDIA_HOME`` says otherwise; every checkout has its own.

    Root shares it with the unprivileged account that runs the embedded PostgreSQL, so then it is
    never below a private folder.
    """
    checkout = _checkout()
    if os.geteuid() == 0:
        shared = Path("/var/lib/guardia")
        if checkout is None:
            return shared
        return shared / hashlib.sha256(str(checkout).encode()).hexdigest()[:12]
    if checkout is not None:
        return checkout / ".guardia"
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "guardia"


class Settings(BaseSettings):
    """What an operator may set; see docs/operations.md."""

    model_config = SettingsConfigDict(env_prefix="GUARDIA_", extra="ignore")

    home: Path = Field(default_factory=default_home)
    """Private folder for the embedded database, keys and the practice fleet."""
    dsn: SecretStr | None = None
    """The application role's DSN of an external PostgreSQL (>= 15); unset: the embedded one."""
    owner_dsn: SecretStr | None = None
    """The owner role's DSN of an external PostgreSQL, for migrations only."""
    host: str = "127.0.0.1"
    """Address on which the board listens."""
    port: int = 8420
    """Port of the board; 0 takes a free one."""
    public_url: str | None = None
    """Address under which people and the messenger reach the board, for links and buttons in
    messages; unset: that under which the messenger has called."""
    board_url: str | None = None
    """Address under which outside agents reach the board; unset: ``http://host:port``."""
    chart: Path | None = None
    """The org chart; unset: the shipped one."""
    messenger_token: SecretStr | None = None
    """Tokens that the messenger's outgoing webhooks send, with commas between them; unset: that
    channel is closed."""
    messenger_url: SecretStr | None = None
    """Incoming webhook to which replies go; unset: replies stay on the board."""
    alert_url: SecretStr | None = None
    """Webhook that receives alerts (FAILED_ROLLBACK, failed undo, broken chain)."""
    checkpoint_key: Path | None = None
    """File of the private key that signs the record's checkpoints; unset: one in ``secrets``."""
    checkpoint_copy: Path | None = None
    """Second folder for copies of the checkpoints, best on another machine; it must exist."""
    model_key: SecretStr | None = None
    """API key of the chat model server, where one is named in the chart."""

    @property
    def messenger_tokens(self) -> tuple[str, ...]:
        """Each token of the messenger; none where the channel is closed."""
        given = self.messenger_token.get_secret_value() if self.messenger_token else ""
        return tuple(one for part in given.split(",") if (one := part.strip()))

    @property
    def board_address(self) -> str:
        """Where outside agents reach the board."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host
        return self.board_url or f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @cached_property
    def secrets(self) -> Path:
        """Folder of private keys, one file per credential, mode 0600."""
        return self.home / "secrets"
