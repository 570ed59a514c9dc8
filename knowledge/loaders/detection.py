"""Tell the format of a file by its content; its name must agree."""

from __future__ import annotations

import io
from pathlib import PurePosixPath

from guardia.knowledge.loaders.archives import open_archive
from guardia.knowledge.loaders.reading import Unreadable

FORMATS: dict[str, tuple[str, ...]] = {
    "markdown": (".md", ".markdown"),
    "text": (".txt", ".text", ".log", ".conf", ".cfg", ".ini", ".csv", ".tsv", ".rst", ".sql",
             ".yaml", ".yml", ".json", ".xml", ".sh", ".properties"),
    "html": (".html", ".htm", ".xhtml"),
    "pdf": (".pdf",),
    "docx": (".docx", ".docm", ".dotx"),
    "pptx": (".pptx", ".pptm", ".ppsx"),
    "xlsx": (".xlsx", ".xlsm", ".xltx"),
    "hwpx": (".hwpx",),
    "hwp": (".hwp",),
    "mail": (".eml",),
    "mhtml": (".mht", ".mhtml"),
}  # fmt: skip
"""Endings of names by format."""
SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_DRM = (b"\x9b DRMONE", b"SCDSA0", b"<## NASCA DRM FILE", b"<DOCUMENT SAFER", b"FSDDOC")
_OLD = ((b"HWP Document File V", "old_hwp"), (b"{\\rtf", "rtf"))
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\x00", b"MM\x00*", b"BM")
_PROGRAMS = (b"MZ", b"\x7fELF", b"#!/")
_TEXTS = frozenset({"markdown", "text", "html", "mail", "mhtml"})


def detect(data: bytes, name: str) -> str:
    """Return the format of a file. Raises `Unreadable` if it is unknown or not what it is named."""
    if not data.strip(b"\x00 \t\r\n"):
        raise Unreadable("empty")
    suffix = PurePosixPath(name.lower().replace("\\", "/")).suffix
    named = next((one for one, suffixes in FORMATS.items() if suffix in suffixes), None)
    found = _by_content(data)
    if named is None:
        raise Unreadable("unknown_format", suffix=suffix or name)
    if found is None and named in _TEXTS:
        return named
    if found != named:
        raise Unreadable("wrong_suffix", suffix=suffix, found=found or "text")
    return named


def _by_content(data: bytes) -> str | None:
    """Return the format that a content is; `None`: a text of some kind."""
    head = data[:1024]
    if head.startswith(_DRM):
        raise Unreadable("drm")
    for mark, problem in _OLD:
        if head.startswith(mark):
            raise Unreadable(problem)
    if b"%PDF-" in head:
        return "pdf"
    if head.startswith(b"PK"):
        return _of_archive(data)
    if head.startswith(_OLE):
        return _of_compound(data)
    if head.startswith(_PICTURES):
        raise Unreadable("picture")
    if head.startswith(_PROGRAMS[:2]):
        raise Unreadable("program")
    return None


def _of_archive(data: bytes) -> str:
    with open_archive(data) as archive:
        names = archive.namelist()
        try:
            kind = archive.read("mimetype")[:80] if "mimetype" in names else b""
        except Exception as error:
            raise Unreadable("damaged") from error
    if b"hwp+zip" in kind or any(n.startswith("Contents/section") for n in names):
        return "hwpx"
    for start, found in (("word/", "docx"), ("ppt/", "pptx"), ("xl/", "xlsx")):
        if any(n.startswith(start) for n in names):
            return found
    raise Unreadable("archive")


def _of_compound(data: bytes) -> str:
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as file:
            names = {"/".join(path) for path in file.listdir()}
    except Exception as error:  # a damaged file fails in many ways
        raise Unreadable("damaged") from error
    if "FileHeader" in names:
        return "hwp"
    if "EncryptedPackage" in names:
        raise Unreadable("encrypted")
    if {"WordDocument", "Workbook", "Book", "PowerPoint Document"} & names:
        raise Unreadable("old_office")
    raise Unreadable("unknown_format", suffix="OLE")
