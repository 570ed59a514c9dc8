"""Search documents of office programs, which are compressed, without unpacking them."""

from __future__ import annotations

import io
import re
import zipfile
import zlib

from guardia.personal_numbers import has_resident_number as text_has_one

ENDINGS = (".xlsx", ".docx", ".pptx", ".hwpx", ".odt", ".ods", ".odp")
_TAG = re.compile(r"<[^>]{0,2000}>")
_CELL = re.compile(r"</(?:t|si|c|w:p|a:p|hp:p|text:p)>")
_MAX_PARTS = 300
_MAX_BYTES = 20_000_000
"""Bytes of all parts together that are read: a part may claim any size, and grow beyond it."""
_PIECE = 1_000_000
_OVERLAP = 200


def has_resident_number(content: bytes) -> bool:
    """Return whether a document contains a resident number, or cannot be searched to its end."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as document:
            return _search(document)
    except (
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        OSError,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ):
        return True


def _search(document: zipfile.ZipFile) -> bool:
    names = [name for name in document.namelist() if name.lower().endswith((".xml", ".rels"))]
    left = _MAX_BYTES
    for name in names:
        with document.open(name) as part:
            before = ""
            while data := part.read(_PIECE):
                left -= len(data)
                if left < 0 or len(names) > _MAX_PARTS:
                    return True
                text = before + data.decode("utf-8", "ignore")
                # Formatting may be in the middle of a number; cells and paragraphs are apart.
                if text_has_one(_TAG.sub("", _CELL.sub("\n", text))):
                    return True
                before = text[-_OVERLAP:]
    return False
