"""The rows of a card as files: CSV and a workbook for Excel."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime
from typing import Any

from guardia.board.cmdb.imports.workbook import mark_formula
from guardia.board.core.labels import SEOUL, format_time
from guardia.board.dashboard.cards import CardTable, Cell

_MOMENT = "yyyy-mm-dd hh:mm:ss"
_DAY = "yyyy-mm-dd"
_LONGEST = 32_000
"""Characters of a cell; Excel takes 32,767."""
_WIDEST = 60


def as_csv(given: CardTable) -> str:
    """Return the rows as CSV with a BOM, as Excel reads it; no text is run as a formula."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    for row in (given.columns, *given.rows):
        writer.writerow([_csv_cell(cell) for cell in row])
    return "\ufeff" + buffer.getvalue()


def as_workbook(title: str, given: CardTable) -> bytes:
    """Return the rows as a workbook with real numbers and dates; times are those of Seoul."""
    from openpyxl import Workbook
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    sheet = book.create_sheet(_sheet_name(title))
    sheet.freeze_panes = "A2"
    for number, width in enumerate(_widths(given), start=1):
        sheet.column_dimensions[get_column_letter(number)].width = width
    sheet.append([_excel_cell(sheet, name, bold=True) for name in given.columns])
    for row in given.rows:
        sheet.append([_excel_cell(sheet, cell) for cell in row])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _csv_cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (int, float)):
        return str(value)
    return mark_formula(value)


def _excel_cell(sheet: Any, value: Cell, *, bold: bool = False) -> Any:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    from openpyxl.styles import Font

    if isinstance(value, datetime):
        # Excel knows no time zones.
        cell = WriteOnlyCell(sheet, value.astimezone(SEOUL).replace(tzinfo=None, microsecond=0))
        cell.number_format = _MOMENT
    elif isinstance(value, date):
        cell = WriteOnlyCell(sheet, datetime.combine(value, datetime.min.time()))
        cell.number_format = _DAY
    elif isinstance(value, str):
        cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value)[:_LONGEST])
        cell.data_type = "s"  # Not a formula, whatever it begins with.
    else:
        cell = WriteOnlyCell(sheet, value)
    if bold:
        cell.font = Font(bold=True)
    return cell


def _sheet_name(title: str) -> str:
    """Return a title as Excel permits it for a sheet."""
    return "".join(c for c in title if c not in r"[]:*?/\\")[:31] or "GUARDiA"


def _widths(given: CardTable) -> list[int]:
    """Return widths that show most cells; a Korean letter takes the room of two."""

    def width(value: Cell) -> int:
        text = _MOMENT if isinstance(value, datetime) else str(value or "")
        return sum(2 if ord(c) > 0x1100 else 1 for c in text)

    columns = zip(*(given.columns, *given.rows), strict=True)
    return [min(_WIDEST, 2 + max(width(cell) for cell in column)) for column in columns]
