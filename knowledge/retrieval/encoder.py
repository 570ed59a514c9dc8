"""Encoders: what turns text into a vector, so that texts of the same meaning are near."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from guardia.errors import Misconfigured
from guardia.i18n import t

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

log = logging.getLogger(__name__)

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


@cache
def load_encoder(folder: Path | None) -> Encoder | None:
    """Load the model of a folder, else the bundled one, once per process.

    `None`: this host cannot run it.

    Raises `Misconfigured` if a folder is named and cannot be used: people chose that model.
    """
    if folder is not None:
        from guardia.knowledge.retrieval.folder_encoder import FolderEncoder

        return FolderEncoder(folder)
    from guardia.knowledge.retrieval.nano_encoder import NanoEncoder

    try:
        return NanoEncoder()
    except Misconfigured as error:
        log.warning("%s", t("retrieval.words_only", why=error))
        return None
