"""The files of a folder or archive, one after the other; names of Korean archives are decoded."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from guardia.errors import Invalid
from guardia.i18n import t
from guardia.knowledge.loaders.detection import SUFFIXES
from guardia.knowledge.loaders.reading_job import MAX_BYTES

_MOST_FILES = 100_000
_MOST_BYTES = 16 << 30
_UTF8_NAME, _ENCRYPTED = 0x800, 1
_ERRORS = (zipfile.BadZipFile, tarfile.TarError, zlib.error, OSError, EOFError, RuntimeError)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of an import, or why it cannot be taken."""

    name: str
    content: bytes = b""
    problem: str = ""


def files(source: Path) -> Iterator[FoundFile]:
    """Yield the files of a folder or archive in the order of their names.

    Raises `Invalid` for what is neither.
    """
    if source.is_dir():
        yield from _of_folder(source)
    elif zipfile.is_zipfile(source):
        yield from _bounded(_of_zip(source))
    elif source.is_file() and tarfile.is_tarfile(source):
        yield from _bounded(_of_tar(source))
    else:
        raise Invalid(what=str(source), why=t("documents.cli.not_archive"))


def _of_folder(folder: Path) -> Iterator[FoundFile]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        # A link could lead to any file of this host.
        if _is_hidden(name) or path.is_symlink() or not path.is_file():
            continue
        try:
            yield _file(name, lambda most, path=path: path.open("rb").read(most))
        except OSError as error:
            yield FoundFile(name, problem=error.strerror or type(error).__name__)


def _of_zip(source: Path) -> Iterator[FoundFile]:
    with zipfile.ZipFile(source) as archive:
        for entry in archive.infolist():
            name = _name(entry)
            if entry.is_dir() or _is_hidden(name):
                continue
            if entry.flag_bits & _ENCRYPTED:
                yield FoundFile(name, problem=t("documents.problem.encrypted"))
                continue
            try:
                yield _file(name, lambda most, entry=entry: archive.open(entry).read(most))
            except (*_ERRORS, NotImplementedError):
                yield FoundFile(name, problem=t("documents.cli.bad_archive"))


def _of_tar(source: Path) -> Iterator[FoundFile]:
    with tarfile.open(source, "r:*") as archive:
        for member in archive:
            if not member.isfile() or _is_hidden(member.name):
                continue
            unpacked = archive.extractfile(member)
            if unpacked is not None:
                yield _file(member.name, unpacked.read)


def _bounded(found: Iterator[FoundFile]) -> Iterator[FoundFile]:
    """Yield files until an archive is damaged, or has grown beyond all measure."""
    size = count = 0
    try:
        for one in found:
            size, count = size + len(one.content), count + 1
            if size > _MOST_BYTES or count > _MOST_FILES:
                yield FoundFile(one.name, problem=t("documents.problem.bomb"))
                return
            yield one
    except _ERRORS:
        yield FoundFile("…", problem=t("documents.cli.bad_archive"))


def _file(name: str, read: object) -> FoundFile:
    if PurePosixPath(name.lower()).suffix not in SUFFIXES:
        return FoundFile(name, problem=t("documents.cli.unsupported"))
    assert callable(read)
    content = read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        return FoundFile(name, problem=t("documents.problem.too_large", most=MAX_BYTES >> 20))
    return FoundFile(name, content)


def _is_hidden(name: str) -> bool:
    parts = [part for part in PurePosixPath(name).parts if part != ".."]
    return any(part.startswith((".", "~$", "__MACOSX")) for part in parts) or name.endswith(
        ("Thumbs.db", "desktop.ini")
    )


def _name(entry: zipfile.ZipInfo) -> str:
    """Return a name as it was written: Windows in Korea stores CP949 without saying so."""
    if entry.flag_bits & _UTF8_NAME or entry.filename.isascii():
        return entry.filename
    raw = entry.filename.encode("cp437", "replace")
    for encoding in ("utf-8", "cp949"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return entry.filename
