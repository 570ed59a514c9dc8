"""Write a paper as HWPX, the format of Korean offices: A4, tables with repeated headings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from guardia.board.papers.paper import (
    Paper,
    PaperField,
    PaperSection,
    PaperTable,
    Value,
    as_text,
)

_MM = 7200 / 25.4
"""HWP units of a millimetre."""
_PAGE = (210, 297)
_MARGINS = {"left": 20, "right": 20, "top": 20, "bottom": 15, "header": 10, "footer": 10}
_WIDTH = int((_PAGE[0] - _MARGINS["left"] - _MARGINS["right"]) * _MM)
_LABEL, _WIDE = 18, 32
"""Shares of the width of a label and of a value."""
_GREY = "#EDEFF2"
_LINE = "#8A949E"


def as_hwpx(paper: Paper) -> bytes:
    """Return the paper as an HWPX file."""
    from hwpx import HwpxDocument

    document = HwpxDocument.new()
    _set_page(document)
    styles = _make_styles(document)
    _paragraph(document, paper.title, styles.title, styles.center)
    if paper.approvals:
        _approvals(document, styles, paper.approvals)
    for section in paper.sections:
        _section(document, styles, section)
    if paper.note:
        _paragraph(document, paper.note, styles.small, styles.left)
    content: bytes = document.to_bytes()
    return content


@dataclass(frozen=True, slots=True)
class _Styles:
    """Numbers of the styles in the document."""

    title: str
    head: str
    bold: str
    text: str
    small: str
    left: str
    center: str
    right: str
    box: str
    grey: str

    def aligned(self, align: str) -> str:
        return {"center": self.center, "right": self.right}.get(align, self.left)


def _set_page(document: Any) -> None:
    width, height = (int(side * _MM) for side in _PAGE)
    document.page.set_size(width=width, height=height, orientation="PORTRAIT")
    document.page.set_margins(**{name: int(side * _MM) for name, side in _MARGINS.items()})
    document.page.set_page_number()


def _make_styles(document: Any) -> _Styles:
    run = document.styles.ensure_run
    return _Styles(
        title=run(bold=True, size=20),
        head=run(bold=True, size=12),
        bold=run(bold=True, size=9.5),
        text=run(size=9.5),
        small=run(size=8.5),
        left=_aligned(document, "LEFT"),
        center=_aligned(document, "CENTER"),
        right=_aligned(document, "RIGHT"),
        box=document.styles.ensure_border_fill(border_color=_LINE),
        grey=document.styles.ensure_border_fill(border_color=_LINE, fill_color=_GREY),
    )


def _aligned(document: Any, alignment: str) -> str:
    """Return the number of a paragraph shape, made with a paragraph that is taken out again."""
    paragraph = document.add_paragraph("", inherit_style=False)
    document.styles.apply_paragraph_format(
        paragraphs=[paragraph], alignment=alignment, line_spacing_percent=130
    )
    number = str(paragraph.para_pr_id_ref)
    paragraph.remove()
    return number


def _paragraph(document: Any, text: str, run: str, shape: str) -> None:
    document.add_paragraph(text, char_pr_id_ref=run, para_pr_id_ref=shape, inherit_style=False)


def _approvals(document: Any, styles: _Styles, names: Sequence[str]) -> None:
    share = 12
    space = 100 - share * len(names)
    table = _Table(document, styles, [space, *[share] * len(names)])
    table.open(2)
    table.row([(None, "left"), *((name, "center") for name in names)], labels=set(range(1, 20)))
    table.row([(None, "left")] * (1 + len(names)), height=14)
    table.hide_first_column()
    table.close()


def _section(document: Any, styles: _Styles, section: PaperSection) -> None:
    _paragraph(document, section.title, styles.head, styles.left)
    if section.fields:
        _fields(document, styles, section.field_rows)
    if section.table is not None:
        _grid(document, styles, section.table)
    _paragraph(document, "", styles.small, styles.left)


def _fields(document: Any, styles: _Styles, rows: Sequence[Sequence[PaperField]]) -> None:
    table = _Table(document, styles, [_LABEL, _WIDE, _LABEL, _WIDE])
    table.open(len(rows))
    for pair in rows:
        cells: list[tuple[Value, str]] = []
        for one in pair:
            cells += [(one.label, "center"), (one.value, "left")]
        table.row(cells, labels={0, 2})
    table.close()


def _grid(document: Any, styles: _Styles, grid: PaperTable) -> None:
    table = _Table(document, styles, [column.width for column in grid.columns])
    table.open(1 + len(grid.rows))
    table.row([(column.label, "center") for column in grid.columns], labels=set(range(99)))
    for row in grid.rows:
        table.row([(v, c.align) for v, c in zip(row, grid.columns, strict=True)])
    table.close(repeat_head=True)


class _Table:
    """One table, filled row by row. The library's access by row and column reads the whole table
    each time, so cells are set by their elements."""

    def __init__(self, document: Any, styles: _Styles, shares: Sequence[int]) -> None:
        self._document, self._styles, self._shares = document, styles, shares
        self._short: list[int] = []

    def open(self, rows: int) -> None:
        """Make the table."""
        self._table = self._document.add_table(
            rows, len(self._shares), width=_WIDTH, border_fill_id_ref=self._styles.box
        )
        self._table.set_column_widths(self._shares)
        self._rows = iter(enumerate(self._table.rows))

    def row(
        self,
        cells: Sequence[tuple[Value, str]],
        *,
        labels: set[int] | None = None,
        height: int = 0,
    ) -> None:
        """Fill the next row; one with fewer cells is merged at its end."""
        place, row = next(self._rows)
        if len(cells) < len(self._shares):
            self._short.append(place)
        for number, cell in enumerate(row.cells):
            value, align = cells[number] if number < len(cells) else (None, "left")
            is_label = number in (labels or set()) and number < len(cells)
            cell.set_text(as_text(value), split_paragraphs=True)
            self._style(cell, is_label=is_label, align=align)
            if height:
                cell.set_size(height=int(height * _MM))

    def _style(self, cell: Any, *, is_label: bool, align: str) -> None:
        styles = self._styles
        cell.element.set("borderFillIDRef", styles.grey if is_label else styles.box)
        for paragraph in cell.paragraphs:
            paragraph.para_pr_id_ref = styles.aligned(align)
            paragraph.char_pr_id_ref = styles.bold if is_label else styles.text

    def hide_first_column(self) -> None:
        """Take the border of the first column away."""
        empty = self._document.styles.ensure_border_fill(active_borders=())
        for row in self._table.rows:
            row.cells[0].element.set("borderFillIDRef", empty)

    def close(self, *, repeat_head: bool = False) -> None:
        """Merge what is short, and repeat the first row on each page if it is a heading."""
        for place in self._short:
            self._table.merge_cells(place, 1, place, len(self._shares) - 1)
        if repeat_head:
            self._table.element.set("repeatHeader", "1")
            for cell in self._table.rows[0].cells:
                cell.element.set("header", "1")
        self._table.mark_dirty()
