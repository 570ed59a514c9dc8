"""What a person asks for: which machines, from which address on. Passed to the launcher as JSON."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from guardia.tools.lab.machines.addresses import FIRST

OCCUPIED = 3
"""Exit code of the launcher: machines already run in this folder."""


class Order(BaseModel):
    """Machines to start, one for each role named."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    roles: tuple[str, ...]
    first_address: str = FIRST
    images: Path
    """The cache of the images."""
