"""Rows of an Excel file (.xlsx), within bounds."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

from guardia.board.cmdb.imports.decoding import ImportFile
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.text import trim

_MAX_UNPACKED = 256 << 20
"""Bytes of all parts: a small archive can hold gigabytes."""
_MAX_PARTS = 2000
_HEAD = 4096
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_MAX_CELL = 32_767
"""Characters of a cell, as Excel itself permits."""


def looks_like_formula(text: str) -> bool:
    """Return whether a spreadsheet may take a text for a formula, apostrophes before it aside."""
    return text.lstrip("'").startswith(_FORMULA_SIGNS)


def mark_formula(text: str) -> str:
    """Return a cell whose text no spreadsheet runs: an apostrophe precedes a likely formula."""
    return f"'{text}" if looks_like_formula(text) else text


def workbook_rows(file: ImportFile) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of the first sheet. Raises `Invalid` for a damaged file."""
    from openpyxl import load_workbook

    _require_bounded(file)
    try:
        book = load_workbook(io.BytesIO(file.content), read_only=True, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        for number, row in enumerate(sheet.iter_rows(), 1):
            yield number, [_text(cell) for cell in row]
    except Invalid:
        raise
    # openpyxl raises whatever its parsers raise: KeyError, ValueError, ParseError, BadZipFile.
    except Exception as error:
        raise Invalid(what=file.name, why=t("imports.not_excel")) from error


def _require_bounded(file: ImportFile) -> None:
    """Refuse an archive that unpacks to too much, or that declares entities."""
    try:
        with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
            parts = archive.infolist()
            if len(parts) > _MAX_PARTS or sum(p.file_size for p in parts) > _MAX_UNPACKED:
                limit = _MAX_UNPACKED >> 20
                raise Invalid(what=file.name, why=t("imports.too_large_inside", limit=limit))
            for part in parts:
                with archive.open(part) as content:
                    head = content.read(_HEAD).lower()
                if b"<!doctype" in head or b"<!entity" in head:
                    raise Invalid(what=file.name, why=t("imports.not_excel"))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise Invalid(what=file.name, why=t("imports.not_excel")) from error


def _text(cell: Any) -> str:
    """Return a cell as it is written; a formula keeps its sign and is refused later."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, date | time):
        return _time_text(value)
    text = trim(str(value)[:_MAX_CELL])
    # A text that only looks like a formula is marked as exports mark it.
    return text if cell.data_type == "f" else mark_formula(text)


def _time_text(value: date | time) -> str:
    """Return a day, a time of day or both, as they are written in files."""
    if isinstance(value, time):
        return value.strftime("%H:%M")
    if isinstance(value, datetime):
        plain = value.time() == time()
        return value.date().isoformat() if plain else value.isoformat(" ", "minutes")
    return value.isoformat()
