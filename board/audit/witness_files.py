"""Paths of what a host keeps of the audit log outside the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from guardia.settings import Settings

KEY_FILE = "chain-signing-key"


@dataclass(frozen=True, slots=True)
class WitnessFiles:
    """The files of one host."""

    key: Path
    verifier_state: Path
    copies: tuple[Path, ...] = field(default=())
    """Folders: the first is ours, the others must exist."""

    @classmethod
    def of(cls, settings: Settings) -> WitnessFiles:
        """As an installation has set them."""
        second = settings.checkpoint_copy
        return cls(
            settings.checkpoint_key or settings.secrets / KEY_FILE,
            settings.home / "verified.json",
            (settings.home / "checkpoints", *((second,) if second else ())),
        )

    @property
    def public(self) -> Path:
        """The public key, beside the private one and readable by all."""
        return self.key.with_name(f"{self.key.name}.pub")
