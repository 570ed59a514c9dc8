"""Private keys and other credentials by name; they are read when needed and never kept."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from guardia.errors import Misconfigured
from guardia.i18n import t

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class FileKeys:
    """One file per credential in a private folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> str:
        """The credential; ``Misconfigured`` where it is missing or others could read it."""
        path = self._path(name)
        if not path.is_file():
            raise Misconfigured(what=name, why=t("org.no_key", folder=self._folder))
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise Misconfigured(what=name, why=t("org.open_key", path=path))
        return path.read_text("utf-8")

    def put(self, name: str, value: str) -> None:
        """Store a credential, readable by us alone."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(name)
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(value, "utf-8")

    def obtain(self, name: str, make: Callable[[], str]) -> str:
        """The credential, made first where there is none; of two makers at once, one wins."""
        path = self._path(name)
        if not path.is_file():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, fresh = tempfile.mkstemp(dir=self._folder, prefix=".new-")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(make())
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(fresh, path)
            Path(fresh).unlink()
        return self.get(name)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise Misconfigured(what=name, why=t("org.key_name"))
        return self._folder / name
