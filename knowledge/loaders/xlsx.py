"""XLSX: the tables of each sheet, as they are shown and not as they are computed."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

from guardia.knowledge.loaders.archives import open_archive, require_no_macro
from guardia.knowledge.loaders.reading import (
    MAX_CHARACTERS,
    Unreadable,
    damaged_if_it_fails,
    require_pages,
)
from guardia.knowledge.passages import Block

_MOST_CELLS = 1_000_000
_MOST_COLUMNS = 200


def blocks(data: bytes, name: str = "") -> tuple[list[Block], int]:
    """Return the tables of a workbook and the number of its sheets."""
    with open_archive(data) as archive:
        require_no_macro(archive)
    from openpyxl import load_workbook

    with damaged_if_it_fails():
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        require_pages(len(book.sheetnames))
        found: list[Block] = []
        for number, sheet in enumerate(book.worksheets, 1):
            found.extend(_sheet(sheet, number))
        book.close()
    return found, len(book.sheetnames)


def _sheet(sheet: Any, number: int) -> Iterator[Block]:
    if sheet.sheet_state != "visible":
        return
    # A size that the file only claims would make rows of a million empty cells.
    sheet.reset_dimensions()
    part: list[list[str]] = []
    cells = characters = 0
    for row in sheet.iter_rows(values_only=True, max_col=_MOST_COLUMNS):
        shown = [_shown(value) for value in row]
        cells += len(shown)
        characters += sum(map(len, shown))
        if cells > _MOST_CELLS or characters > MAX_CHARACTERS:
            raise Unreadable("too_long", count=cells, most=_MOST_CELLS)
        if any(shown):
            part.append(shown)
        elif part:
            yield from _table(part, sheet.title, number)
            part = []
    yield from _table(part, sheet.title, number)


def _table(rows: Sequence[Sequence[str]], sheet: str, page: int) -> Iterator[Block]:
    """Yield rows as a table without its empty columns; one cell alone is a text."""
    if not rows:
        return
    width = max(len(row) for row in rows)
    used = [at for at in range(width) if any(len(row) > at and row[at] for row in rows)]
    trimmed = [tuple(row[at] if len(row) > at else "" for at in used) for row in rows]
    if len(used) == 1:
        yield Block("text", "\n".join(row[0] for row in trimmed), page=page, sheet=sheet)
        return
    while len(trimmed) > 1 and sum(bool(cell) for cell in trimmed[0]) == 1:
        title = next(cell for cell in trimmed[0] if cell)
        yield Block("heading", title, level=2, page=page, sheet=sheet)
        trimmed = trimmed[1:]
    yield Block("table", rows=tuple(trimmed), page=page, sheet=sheet)


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        midnight = value.time() == time(0)
        return value.date().isoformat() if midnight else value.isoformat(" ", "minutes")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
