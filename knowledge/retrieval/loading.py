"""Load the encoder of this process."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

from guardia.errors import Misconfigured
from guardia.i18n import t
from guardia.knowledge.retrieval.encoder import Encoder

log = logging.getLogger(__name__)


@cache
def load_encoder(folder: Path | None) -> Encoder | None:
    """Load the model of a folder or the bundled one, once per process.

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
