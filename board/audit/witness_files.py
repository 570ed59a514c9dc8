"""Paths of the audit log's files outside the database: key, verifier state, checkpoint copies."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from guardia.settings import Settings

KEY_FILE = "chain-signing-key"


@dataclass(frozen=True, slots=True)
class WitnessFiles:
    """Files of one host."""

    key: Path
    verifier_state: Path
    copies: tuple[Path, ...] = field(default=())
    """Folders: the first is created on demand, the others must exist."""

    @classmethod
    def of(cls, settings: Settings) -> WitnessFiles:
        """Return the paths that the settings name."""
        second = settings.checkpoint_copy
        return cls(
            settings.checkpoint_key or settings.secrets / KEY_FILE,
            settings.home / "verified.json",
            (settings.home / "checkpoints", *((second,) if second else ())),
        )

    @property
    def memory(self) -> Path:
        """Return the path of what this host knows of its witnesses."""
        return self.verifier_state.with_name("witnesses.json")

    @property
    def finding(self) -> Path:
        """Return the path of the last verification's finding; it exists until none is left."""
        return self.verifier_state.with_name("finding.json")

    @property
    def public(self) -> Path:
        """Return the path of the public key, beside the private one and readable by all."""
        return self.key.with_name(f"{self.key.name}.pub")
