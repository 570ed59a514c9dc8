"""Look into the archives that office files are, before anything is unpacked."""

from __future__ import annotations

import io
import zipfile

from guardia.knowledge.loaders.reading import Unreadable

_MOST_FILES = 20_000
_MOST_BYTES = 256 << 20
"""Bytes of all files together when unpacked."""
_MOST_RATIO = 200
_SMALL = 8 << 20
"""Bytes below which a file may be compressed as well as it likes: empty sheets are."""
_MACROS = ("vbaproject.bin", "vbadata.xml", "activex", "/macrosheets/", "script-lb.xml", "basic/")
_ZIP_ERRORS = (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError)


def open_archive(data: bytes) -> zipfile.ZipFile:
    """Return an archive that is safe to unpack. Raises `Unreadable` otherwise."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        entries = archive.infolist()
    except _ZIP_ERRORS as error:
        raise Unreadable("damaged") from error
    if len(entries) > _MOST_FILES or sum(one.file_size for one in entries) > _MOST_BYTES:
        raise Unreadable("bomb")
    for one in entries:
        if one.flag_bits & 1:
            raise Unreadable("encrypted")
        if one.file_size > _SMALL and one.file_size > _MOST_RATIO * max(one.compress_size, 1):
            raise Unreadable("bomb")
    return archive


def require_no_macro(archive: zipfile.ZipFile) -> None:
    """Raise `Unreadable` for an office file with a program in it."""
    for name in archive.namelist():
        lowered = name.lower()
        if any(lowered.endswith(mark) or mark in lowered for mark in _MACROS):
            raise Unreadable("macro", name=name.rpartition("/")[2])
