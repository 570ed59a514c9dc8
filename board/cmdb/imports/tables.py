"""Tables as people keep them, CSV or Excel: rows of cells with their line numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from pydantic_core import PydanticCustomError

from guardia.board.cmdb.changes import MAX_PROBLEMS, BadLine, bad_line
from guardia.board.cmdb.imports.columns import (
    SECRET_HEADER,
    TableColumn,
    TableLayout,
    header_form,
)
from guardia.board.cmdb.imports.decoding import ImportFile, decode
from guardia.board.cmdb.imports.workbook import looks_like_formula, mark_formula, workbook_rows
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.text import trim

MAX_ROWS = 200_000
MAX_COLUMNS = 200
Cells = tuple[int, list[str]]
"""A line number and the cells of the line."""


@dataclass
class TableRows:
    """What was read of a table."""

    rows: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """The values of each line by field."""
    problems: list[BadLine] = field(default_factory=list)
    bad: int = 0
    ignored: list[str] = field(default_factory=list)
    """Headers of columns that mean nothing here."""

    def refuse(self, line: int, key: str, **values: object) -> None:
        """Note a bad line."""
        self.bad += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(bad_line(line, key, **values))


def read_table(file: ImportFile, layout: TableLayout) -> TableRows:
    """Return the rows of a CSV or Excel file. Raises `Invalid` if it has no usable header."""
    lines = workbook_rows(file) if file.is_workbook else _csv_rows(file)
    found = TableRows()
    header = next((cells for cells in lines if any(cells[1])), None)
    if header is None:
        raise Invalid(what=file.name, why=t("imports.empty"))
    columns = _columns(file, layout, header, found)
    for line, cells in lines:
        if len(found.rows) + found.bad >= MAX_ROWS:
            raise Invalid(what=file.name, why=t("imports.too_many", limit=MAX_ROWS))
        _read_row(layout, columns, line, cells, found)
    return found


def _csv_rows(file: ImportFile) -> Iterator[Cells]:
    text = decode(file)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            why = t("imports.not_csv", line=reader.line_num, problem=str(error)[:200])
            raise Invalid(what=file.name, why=why) from None
        yield reader.line_num, [trim(cell) for cell in row]


def _delimiter(text: str) -> str:
    """Return the separator of the first line that is not empty."""
    head = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=head.count)


def _plain(cell: str) -> str:
    """Return a cell without the apostrophe that exports put before what looks like a formula."""
    return cell[1:] if cell[:1] == "'" and looks_like_formula(cell) else cell


def _columns(
    file: ImportFile, layout: TableLayout, header: Cells, found: TableRows
) -> list[TableColumn | None]:
    line, names = header
    if len(names) > MAX_COLUMNS:
        raise Invalid(what=file.name, why=t("imports.too_wide", limit=MAX_COLUMNS))
    columns: list[TableColumn | None] = []
    for name in names:
        form = header_form(name)
        if SECRET_HEADER.search(form):
            raise Invalid(what=file.name, why=t("imports.secret_column", line=line, name=name[:40]))
        column = layout.by_header.get(form)
        if column is not None and column in columns:
            why = t("imports.column_twice", line=line, name=name[:40])
            raise Invalid(what=file.name, why=why)
        if column is None and name:
            found.ignored.append(name[:40])
        columns.append(column)
    if not any(columns):
        known = ", ".join(column.headers[0] for column in layout.columns)
        raise Invalid(what=file.name, why=t("imports.no_header", line=line, known=known))
    return columns


def _read_row(
    layout: TableLayout,
    columns: list[TableColumn | None],
    line: int,
    cells: list[str],
    found: TableRows,
) -> None:
    if not any(cells):
        return
    if any(cells[len(columns) :]):
        found.refuse(line, "cells", count=len(cells), most=len(columns))
        return
    values: dict[str, Any] = {}
    # Excel leaves out empty cells at the end of a row.
    for column, raw in zip_longest(columns, cells[: len(columns)], fillvalue=""):
        if not isinstance(column, TableColumn):
            continue
        if raw.startswith("="):
            found.refuse(line, "formula", field=column.headers[0], value=raw[:40])
            return
        cell = _plain(raw)
        if not cell:
            if column.field not in layout.keeps_empty:
                _put(values, column, None)
            continue
        try:
            _put(values, column, column.read(cell))
        except PydanticCustomError as error:
            found.refuse(line, error.type, **(error.context or {}))
            return
    found.rows.append((line, values))


def _put(values: dict[str, Any], column: TableColumn, value: Any) -> None:
    """Set a field; `None` takes it out, so that it gets its default."""
    part, _, inner = column.field.partition(".")
    if inner:
        values.setdefault(part, {})[inner] = value
    else:
        values[part] = value


def export_table(layout: TableLayout, entries: list[dict[str, Any]]) -> str:
    """Return entries as CSV with a BOM, as Excel reads it."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([column.headers[0] for column in layout.columns])
    for entry in entries:
        writer.writerow([_cell(column, entry) for column in layout.columns])
    return "\ufeff" + buffer.getvalue()


def _cell(column: TableColumn, entry: dict[str, Any]) -> str:
    part, _, inner = column.field.partition(".")
    value = entry.get(part, "")
    if inner:
        value = value.get(inner, "") if isinstance(value, dict) else ""
    text = column.write(value) if value not in ("", None, []) else ""
    return mark_formula(text)
