"""Read a file of unknown origin within bounds, and decode it."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass
from pathlib import Path

from guardia.errors import Invalid
from guardia.i18n import t

MAX_BYTES = 64 << 20
MAX_LINE = 1 << 20
"""Characters of one line."""
_OLE = b"\xd0\xcf\x11\xe0"
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class ImportFile:
    """A file's name and content."""

    name: str
    content: bytes

    @property
    def sha256(self) -> str:
        """Digest of the content."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def is_workbook(self) -> bool:
        """Whether it is an Excel file, by its content."""
        return self.content.startswith(_ZIP)

    @property
    def suffix(self) -> str:
        """The end of its name, in lower case."""
        return Path(self.name).suffix.lower()


def read_file(path: Path) -> ImportFile:
    """Read a file. Raises `Invalid` if it is missing, too large or of an old Excel."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        why = t("imports.unreadable", why=error.strerror or type(error).__name__)
        raise Invalid(what=str(path), why=why) from error
    if len(content) > MAX_BYTES:
        raise Invalid(what=path.name, why=t("imports.too_large", limit=MAX_BYTES >> 20))
    found = ImportFile(path.name, content)
    require_readable(found)
    return found


def require_readable(file: ImportFile) -> None:
    """Raise `Invalid` for a file of an old Excel."""
    if file.content.startswith(_OLE):
        raise Invalid(what=file.name, why=t("imports.old_excel"))


def decode(file: ImportFile) -> str:
    """Return the text of a file: UTF-8 with or without BOM, UTF-16 with BOM, or CP949.

    Raises `Invalid` if it is none of them, or no text at all.
    """
    text = _decoded(file)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise Invalid(what=file.name, why=t("imports.binary", line=line))
    longest = max(text.split("\n"), key=len)
    if len(longest) > MAX_LINE:
        line = text.count("\n", 0, text.index(longest)) + 1
        raise Invalid(what=file.name, why=t("imports.long_line", line=line, limit=MAX_LINE))
    return text


def _decoded(file: ImportFile) -> str:
    content = file.content
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp949"]
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError as error:
            first = error.start
    line = content.count(b"\n", 0, first) + 1
    raise Invalid(what=file.name, why=t("imports.encoding", line=line))
