"""Write a paper as a workbook for Excel: one sheet, ready to be printed on A4."""

from __future__ import annotations

import io
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from guardia.board.papers.paper import (
    Paper,
    PaperField,
    PaperSection,
    PaperTable,
    Value,
)

_COLUMNS = 20
"""Columns of the sheet's grid, over which cells are merged."""
_WIDTH = 4.6
_LABEL = 3
"""Grid columns of a label."""
_PER_COLUMN = 4.4
"""Characters of half width that fit into a grid column."""
_LINE = 15.0
_LONGEST = 32_000
_MOST_LINES = 27
"""Lines of one row: Excel shows no higher rows."""
_GREY = "FFEDEFF2"


def as_workbook(paper: Paper) -> bytes:
    """Return the paper as a workbook; no text is run as a formula."""
    from openpyxl import Workbook

    book = Workbook()
    sheet: Any = book.active
    sheet.title = "".join(c for c in paper.title if c not in r"[]:*?/\\'")[:31] or "GUARDiA"
    writer = _Writer(sheet)
    writer.page()
    writer.heading(paper)
    for section in paper.sections:
        writer.section(section)
    if paper.note:
        writer.row([(paper.note, _COLUMNS, "left")], border=False)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class _Look:
    """How a cell looks."""

    align: str
    is_label: bool
    boxed: bool
    font: Any


Cells = Sequence[tuple[Value, int, str]]
"""Value, grid columns and alignment of each cell of a row."""


class _Writer:
    """Writes one row after the other."""

    def __init__(self, sheet: Any) -> None:
        from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

        self._sheet, self._at = sheet, 1
        line = Side(style="thin", color="FF8A949E")
        self._box = Border(left=line, right=line, top=line, bottom=line)
        self._grey = PatternFill("solid", fgColor=_GREY)
        self._bold, self._alignment = Font(bold=True), Alignment
        self._title = Font(bold=True, size=18)
        self._looks: dict[_Look, Any] = {}

    def page(self) -> None:
        """Set the page up: A4 upright, as wide as the paper, page numbers below."""
        from openpyxl.utils import get_column_letter

        sheet = self._sheet
        for number in range(1, _COLUMNS + 1):
            sheet.column_dimensions[get_column_letter(number)].width = _WIDTH
        sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
        sheet.page_setup.orientation = "portrait"
        sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
        sheet.sheet_properties.pageSetUpPr.fitToPage = True
        sheet.print_options.horizontalCentered = True
        sheet.oddFooter.center.text = "&P / &N"
        sheet.sheet_view.showGridLines = False

    def heading(self, paper: Paper) -> None:
        """Write the title and the boxes for signatures."""
        self.row([(paper.title, _COLUMNS, "center")], border=False, font=self._title, height=36)
        if paper.approvals:
            width = _COLUMNS // 2 // len(paper.approvals)
            left = _COLUMNS - width * len(paper.approvals)
            space: list[tuple[Value, int, str]] = [(None, left, "left")]
            heads = [(name, width, "center") for name in paper.approvals]
            self.row([*space, *heads], head=True, skip=1)
            self.row([*space, *((None, width, "center") for _ in heads)], skip=1, height=40)
        self._at += 1

    def section(self, section: PaperSection) -> None:
        """Write a section."""
        self.row([(section.title, _COLUMNS, "left")], border=False, font=self._bold, height=22)
        for pair in section.field_rows:
            self._fields(pair)
        if section.table is not None:
            self._table(section.table)
        self._at += 1

    def _fields(self, pair: Sequence[PaperField]) -> None:
        width = _COLUMNS // 2 - _LABEL if not pair[0].wide else _COLUMNS - _LABEL
        cells: list[tuple[Value, int, str]] = []
        for one in pair:
            cells += [(one.label, _LABEL, "center"), (one.value, width, "left")]
        if len(pair) == 1 and not pair[0].wide:
            cells[-1] = (pair[0].value, _COLUMNS - _LABEL, "left")
        self.row(cells, labels=range(0, len(cells), 2))

    def _table(self, table: PaperTable) -> None:
        widths = _spread([column.width for column in table.columns])
        heads = [(c.label, w, "center") for c, w in zip(table.columns, widths, strict=True)]
        self.row(heads, head=True)
        for row in table.rows:
            cells = zip(row, widths, table.columns, strict=True)
            self.row([(value, width, column.align) for value, width, column in cells])

    def row(
        self,
        cells: Cells,
        *,
        border: bool = True,
        head: bool = False,
        labels: range | None = None,
        font: Any = None,
        height: float = 0,
        skip: int = 0,
    ) -> None:
        """Write the cells of one row; `skip` of them without a border."""
        at, highest = 1, 1
        for place, (value, width, align) in enumerate(cells):
            is_label = head or (labels is not None and place in labels)
            look = _Look(align, is_label=is_label, boxed=border and place >= skip, font=font)
            for column in range(at, at + width):
                self._dress(self._sheet.cell(self._at, column), look)
            _put(self._sheet.cell(self._at, at), value)
            if width > 1:
                self._merge(at, at + width - 1)
            highest = max(highest, _lines(value, width))
            at += width
        lines = min(highest, _MOST_LINES)
        self._sheet.row_dimensions[self._at].height = max(height, _LINE * lines + 3)
        self._at += 1

    def _dress(self, cell: Any, look: _Look) -> None:
        """Set the style of a cell. Looking one up for each cell takes most of the time."""
        known = self._looks.get(look)
        if known is not None:
            cell._style = copy(known)
            return
        if look.font or look.is_label:
            cell.font = look.font or self._bold
        if look.boxed:
            cell.border = self._box
            if look.is_label:
                cell.fill = self._grey
        upright = "center" if look.is_label else "top"
        cell.alignment = self._alignment(look.align, upright, wrap_text=True)
        self._looks[look] = copy(cell._style)

    def _merge(self, first: int, last: int) -> None:
        """Merge cells that have their style already, without comparing all merged ones."""
        from openpyxl.worksheet.cell_range import CellRange

        merged = CellRange(min_row=self._at, max_row=self._at, min_col=first, max_col=last)
        self._sheet.merged_cells.ranges.add(merged)


def _put(cell: Any, value: Value) -> None:
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if isinstance(value, str):
        cell.value = ILLEGAL_CHARACTERS_RE.sub("", value)[:_LONGEST]
        cell.data_type = "s"  # Not a formula, whatever it begins with.
        return
    cell.value = value
    if isinstance(value, float):
        cell.number_format = "#,##0.0"
    elif isinstance(value, int):
        cell.number_format = "#,##0"


def _lines(value: Value, width: int) -> int:
    """Return how many lines a text takes; a Korean letter takes the room of two."""
    fits = max(1, int(width * _PER_COLUMN))
    counted = 0
    for line in str(value if value is not None else "").split("\n"):
        size = sum(2 if ord(c) > 0x1100 else 1 for c in line)
        counted += max(1, -(-size // fits))
    return counted


def _spread(widths: Sequence[int]) -> list[int]:
    """Return grid columns for shares of the width, at least one each and all in all."""
    total = sum(widths)
    spread = [max(1, width * _COLUMNS // total) for width in widths]
    while sum(spread) != _COLUMNS:
        more = sum(spread) < _COLUMNS
        gaps = [w * _COLUMNS / total - given for w, given in zip(widths, spread, strict=True)]
        able = [n for n in range(len(spread)) if more or spread[n] > 1]
        chosen = max(able, key=gaps.__getitem__) if more else min(able, key=gaps.__getitem__)
        spread[chosen] += 1 if more else -1
    return spread
