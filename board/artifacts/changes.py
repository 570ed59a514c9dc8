"""The files of an artefact, and how they differ from those of another one.

Contents never change under their digest, so what was computed once stays valid.
"""

from __future__ import annotations

import difflib
import hashlib
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal

from pydantic.dataclasses import dataclass as pydantic_dataclass

from guardia.board.artifacts.blob_store import BlobStore
from guardia.errors import Refused
from guardia.text import CleanStr, mask_secrets

_TEXT_BYTES = 64 * 1024
"""Longest file whose text is compared."""
_MOST_BYTES = 1 << 30
"""Bytes of an archive that are read at most."""
_MOST_FILES = 20_000
_DIFF_LINES = 200
_PIECE = 1 << 20
_MARKS = frozenset({".guardia", "META-INF/war-tracker"})
"""Files that a deployment leaves beside those of the artefact."""


@pydantic_dataclass(frozen=True, slots=True)
class FileChange:
    """One file that differs. Its texts are cleaned on creation: they come from an upload."""

    name: CleanStr
    kind: Literal["added", "removed", "changed"]
    size: int
    diff: tuple[CleanStr, ...] = ()
    """Lines of a unified difference, with secrets masked; empty for what is not text."""


@dataclass(frozen=True, slots=True)
class FileComparison:
    """How an artefact differs from another."""

    changes: tuple[FileChange, ...]
    same: int
    """Files that are equal."""
    complete: bool
    """Whether both archives were read to the end."""


@dataclass(frozen=True, slots=True)
class _File:
    sha256: str
    """Empty: not known."""
    size: int
    text: str | None


def compare(store: BlobStore, sha256: str, other: str | None) -> FileComparison | None:
    """Return how a content differs from another; `None`: it is no archive.

    Without another one, every file counts as added.
    """
    return _compare(store.folder, sha256, other)


def compare_running(
    store: BlobStore, sha256: str, running: Mapping[str, Any]
) -> FileComparison | None:
    """Return how a content differs from the files of a server, as `deploy.files` found them."""
    new = _files(store, sha256)
    if new is None:
        return None
    old = {
        one["path"]: _File(one["sha256"] or "", one["size"], one["text"])
        for one in running["files"]
        if one["path"] not in _MARKS
    }
    names = sorted(new[0].keys() | old.keys())
    changes = [c for name in names if (c := _change(name, old.get(name), new[0].get(name)))]
    complete = new[1] and bool(running["complete"])
    return FileComparison(tuple(changes), len(names) - len(changes), complete)


@lru_cache(maxsize=64)
def _compare(folder: Path, sha256: str, other: str | None) -> FileComparison | None:
    store = BlobStore(folder, file_bytes=0, total_bytes=0)
    new, old = _files(store, sha256), _files(store, other) if other else ({}, True)
    if new is None or old is None:
        return None
    names = sorted(new[0].keys() | old[0].keys())
    changes = [c for name in names if (c := _change(name, old[0].get(name), new[0].get(name)))]
    return FileComparison(tuple(changes), len(names) - len(changes), new[1] and old[1])


def _change(name: str, old: _File | None, new: _File | None) -> FileChange | None:
    if old is not None and new is not None:
        same = old.sha256 == new.sha256 if old.sha256 else old.size == new.size
        if same:
            return None
        return FileChange(name, "changed", new.size, _diff(old.text, new.text))
    if new is not None:
        return FileChange(name, "added", new.size, _diff("", new.text))
    assert old is not None
    return FileChange(name, "removed", old.size)


def _diff(old: str | None, new: str | None) -> tuple[str, ...]:
    if old is None or new is None:
        return ()
    # Masked before they are compared, because a key covers many lines.
    before, after = (mask_secrets(text).splitlines() for text in (old, new))
    lines = difflib.unified_diff(before, after, n=2, lineterm="")
    return tuple(islice(lines, 2, _DIFF_LINES + 2))


def _files(store: BlobStore, sha256: str) -> tuple[dict[str, _File], bool] | None:
    """Return the files of an archive and whether it was read to its end; `None`: no archive."""
    found: dict[str, _File] = {}
    read = 0
    try:
        with store.open(sha256) as content:
            for name, size, file in _members(content):
                read += size
                if read > _MOST_BYTES or len(found) >= _MOST_FILES:
                    return found, False
                found[name] = _summary(file, size)
    except (Refused, tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, ValueError):
        return None
    return found, True


def _members(content: BinaryIO) -> Iterator[tuple[str, int, IO[bytes]]]:
    if content.read(2) == b"PK":
        with zipfile.ZipFile(content) as packed:
            for entry in packed.infolist():
                if not entry.is_dir():
                    with packed.open(entry) as file:
                        yield entry.filename, entry.file_size, file
        return
    content.seek(0)
    with tarfile.open(fileobj=content, mode="r:*") as tar:
        for member in tar:
            unpacked = tar.extractfile(member) if member.isfile() else None
            if unpacked is not None:
                yield member.name.removeprefix("./"), member.size, unpacked


def _summary(file: IO[bytes], size: int) -> _File:
    digest, head = hashlib.sha256(), b""
    while piece := file.read(_PIECE):
        digest.update(piece)
        if size <= _TEXT_BYTES:
            head += piece
    text = None
    if size <= _TEXT_BYTES and b"\0" not in head:
        try:
            text = head.decode("utf-8")
        except UnicodeDecodeError:
            text = None
    return _File(digest.hexdigest(), size, text)
