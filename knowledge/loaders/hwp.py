"""HWPX and HWP 5: python-hwpx opens both as one document, whose paragraphs are read here."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from guardia.knowledge.loaders.archives import open_archive
from guardia.knowledge.loaders.reading import Unreadable, damaged_if_it_fails
from guardia.knowledge.passages import Block

_OUTLINE = re.compile(r"^(?:개요|outline|제목|heading)\s*(\d{1,2})$", re.IGNORECASE)
_HIDDEN = frozenset(["secPr", "hiddenComment", "header", "footer", "fieldBegin", "linesegarray"])
"""What is not part of the text, or is shown on every page."""
_NOTES = frozenset(["footNote", "endNote"])
_MOST_DEPTH = 40
_PROTECTED = ("password", "drm", "distribution")


def blocks(data: bytes, name: str = "") -> list[Block]:
    """Return the blocks of a document."""
    if data.startswith(b"PK"):
        with open_archive(data) as archive:
            _require_readable(archive.namelist(), archive.read)
    from hwpx import HwpxDocument
    from hwpx.hwp5.errors import Hwp5Error

    with damaged_if_it_fails():
        try:
            document = HwpxDocument.open(io.BytesIO(data))
        except Hwp5Error as error:
            code = str(getattr(error, "code", ""))
            protected = any(one in code for one in _PROTECTED)
            raise Unreadable("encrypted" if protected else "damaged") from error
        walk = _Walk(_levels(document))
        for section in document.sections:
            for paragraph in section.element:
                walk.paragraph(paragraph, 0)
    return [*walk.blocks, *walk.notes]


def _require_readable(names: list[str], read: Any) -> None:
    manifest = "META-INF/manifest.xml"
    if manifest in names and b"encryption-data" in read(manifest)[:1_000_000]:
        raise Unreadable("encrypted")


def _levels(document: Any) -> dict[str, int]:
    """Return the outline level of each paragraph style by its id."""
    found: dict[str, int] = {}
    for key, style in document.styles.items():
        for text in (style.name, style.eng_name):
            if match := _OUTLINE.match((text or "").strip()):
                found[str(key)] = min(int(match[1]), 6)
    return found


class _Walk:
    """Turns paragraphs and their tables into blocks."""

    def __init__(self, levels: dict[str, int]) -> None:
        self.blocks: list[Block] = []
        self.notes: list[Block] = []
        self._levels = levels

    def paragraph(self, element: Any, depth: int) -> None:
        """Add one paragraph, and what is anchored in it."""
        if _name(element) != "p" or depth > _MOST_DEPTH:
            return
        text = "".join(self._inline(element)).strip()
        level = self._levels.get(str(element.get("styleIDRef", "")), 0)
        if text:
            self.blocks.append(Block("heading" if level else "text", text, level=level))
        for table in self._anchored(element):
            self.blocks.extend(self._table(table, depth))

    def _inline(self, element: Any) -> Iterator[str]:
        for child in element:
            name = _name(child)
            if name in _NOTES:
                if text := "\n".join(self._paragraphs(child)):
                    self.notes.append(Block("text", text))
            elif name == "t":
                yield from _characters(child)
            elif name in {"lineBreak", "tab"}:
                yield "\n" if name == "lineBreak" else "\t"
            elif name == "equation":
                yield "".join(
                    script.text or "" for script in child.iter() if _name(script) == "script"
                )
            elif name in {"rect", "ellipse", "container", "drawText", "polygon"}:
                yield "".join(f"\n{text}" for text in self._paragraphs(child))
            elif name not in _HIDDEN and name != "tbl":
                yield from self._inline(child)

    def _paragraphs(self, element: Any) -> Iterator[str]:
        """Yield the texts of the paragraphs in an element: of a note, a frame, a cell."""
        for child in element:
            if _name(child) == "p":
                if text := "".join(self._inline(child)).strip():
                    yield text
            elif _name(child) not in _HIDDEN and _name(child) != "tbl":
                yield from self._paragraphs(child)

    def _anchored(self, element: Any) -> Iterator[Any]:
        for child in element:
            if _name(child) == "tbl":
                yield child
            elif _name(child) not in _HIDDEN:
                yield from self._anchored(child)

    def _table(self, table: Any, depth: int) -> Iterator[Block]:
        """Yield a table; a frame of one cell is its text, a table in a cell follows."""
        rows, inner = self._cells(table)
        if len(rows) == 1 and len(rows[0]) == 1:
            if rows[0][0]:
                yield Block("text", rows[0][0])
        elif rows:
            yield Block("table", rows=tuple(tuple(row) for row in rows))
        if depth < _MOST_DEPTH:
            for one in inner:
                yield from self._table(one, depth + 1)

    def _cells(self, table: Any) -> tuple[list[list[str]], list[Any]]:
        rows: list[list[str]] = []
        inner: list[Any] = []
        below: dict[tuple[int, int], str] = {}
        for number, row in enumerate(one for one in table if _name(one) == "tr"):
            cells: dict[int, str] = {}
            for order, cell in enumerate(one for one in row if _name(one) == "tc"):
                at, across, down = _place(cell, order)
                text = "\n".join(self._paragraphs(cell))
                inner.extend(self._anchored(cell))
                for column in range(at, at + across):
                    cells[column] = text
                    below.update({(number + more, column): text for more in range(1, down)})
            cells = {c: text for (r, c), text in below.items() if r == number} | cells
            rows.append([cells.get(column, "") for column in range(max(cells, default=-1) + 1)])
        return rows, inner


def _place(cell: Any, order: int) -> tuple[int, int, int]:
    """Return the column of a cell, and over how many columns and rows it reaches."""
    at, across, down = order, 1, 1
    for child in cell:
        if _name(child) == "cellAddr":
            at = _number(child.get("colAddr"), order)
        elif _name(child) == "cellSpan":
            across, down = _number(child.get("colSpan"), 1), _number(child.get("rowSpan"), 1)
    return min(at, 500), min(max(across, 1), 100), min(max(down, 1), 1000)


def _characters(element: Any) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        yield {"lineBreak": "\n", "tab": "\t", "nbSpace": " ", "fwSpace": " "}.get(_name(child), "")
        yield child.tail or ""


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 6 else otherwise


def _name(element: Any) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
