"""The org chart's file: which one, reading it byte for byte, replacing it atomically."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from guardia.cli.text_files import read_text
from guardia.db.private_files import fsync_folder
from guardia.errors import Misconfigured
from guardia.i18n import t
from guardia.settings import Settings


@dataclass(frozen=True, slots=True)
class ChartFile:
    """A chart's file and its text."""

    path: Path
    text: str

    @contextmanager
    def replacing(self, text: str) -> Iterator[None]:
        """Write `text` beside the file, and replace the file once the block has succeeded."""
        target = self.path.resolve()
        try:
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        except OSError as error:
            raise _unwritable(target, error) from error
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(target.stat().st_mode & 0o7777)
            yield
            Path(name).replace(target)
            fsync_folder(target.parent)
        finally:
            Path(name).unlink(missing_ok=True)


def read_chart_file(file: Path | None) -> ChartFile:
    """Read the named chart; if unset, the configured one, or the shipped one."""
    from guardia.org import chart

    path = file or Settings().chart or chart.shipped_chart_path()
    return ChartFile(path, read_text(path))


def _unwritable(path: Path, error: OSError) -> Misconfigured:
    return Misconfigured(what=str(path), why=t("cli.org.unwritable", problem=error.strerror or ""))
