"""An encoder from a folder of sentence-transformers, for sites that carry a larger model in."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from guardia.errors import Misconfigured
from guardia.i18n import t
from guardia.knowledge.retrieval.encoder import bounded

if TYPE_CHECKING:
    from guardia.knowledge.retrieval.encoder import Vectors

_BATCH = 16


class FolderEncoder:
    """A model folder, read from disk alone. Raises `Misconfigured` if it cannot be loaded."""

    def __init__(self, folder: Path) -> None:
        # Never over a network: a closed one would only answer after a long wait.
        os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise Misconfigured(what=str(folder), why=t("retrieval.no_extra")) from error
        if not folder.is_dir():
            raise Misconfigured(what=str(folder), why=t("retrieval.no_folder"))
        try:
            # Code of the folder is never run: a model is data.
            self._engine: Any = SentenceTransformer(
                str(folder), device="cpu", local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise Misconfigured(what=str(folder), why=str(error).split("\n")[0]) from error
        self._model = f"folder-{digest(folder)[:16]}"
        self._prompts = set(self._engine.prompts)
        self._lock = Lock()

    @property
    def model(self) -> str:
        """Id of the model: a digest of its files, since folders of one name differ."""
        return self._model

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._engine.get_embedding_dimension())

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Encode texts that are searched, one row each."""
        return self._encode([bounded(text) for text in texts], ("passage", "document"))

    def question(self, text: str) -> Vectors:
        """Encode a question."""
        found: Vectors = self._encode([bounded(text)], ("query",))[0]
        return found

    def _encode(self, texts: list[str], prompts: tuple[str, ...]) -> Vectors:
        prompt = next((name for name in prompts if name in self._prompts), None)
        with self._lock:
            found: Vectors = self._engine.encode(
                texts,
                prompt_name=prompt,
                batch_size=_BATCH,
                normalize_embeddings=True,
                show_progress_bar=False,
            ).astype("float32")
        return found


def digest(folder: Path) -> str:
    """Return a digest of the names and contents of a folder's files."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(str(path.relative_to(folder)).encode() + b"\0")
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()
