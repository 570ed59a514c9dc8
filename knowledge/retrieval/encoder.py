"""Encoders: what turns text into a vector, so that texts of the same meaning are near."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

MOST_CHARACTERS = 1000
"""Characters of a text that are encoded: about what the models read, 512 tokens."""


class Encoder(Protocol):
    """A model that encodes texts into vectors of length 1."""

    @property
    def model(self) -> str:
        """Id of the model, kept with each vector: another model's vectors mean nothing here."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Encode texts that are searched, one row each."""

    def question(self, text: str) -> Vectors:
        """Encode a question."""


def bounded(text: str) -> str:
    """Return the part of a text that is encoded. NUL would end it silently in a C library."""
    return " ".join(text.replace("\0", " ").split())[:MOST_CHARACTERS] or "-"
