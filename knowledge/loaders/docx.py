"""DOCX: paragraphs with their outline level, and tables, in reading order."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from guardia.knowledge.loaders.archives import open_archive, require_no_macro
from guardia.knowledge.loaders.reading import damaged_if_it_fails
from guardia.knowledge.passages import Block

_MOST_STYLES = 10
_HEADING = re.compile(r"(?:heading|제목|개요)\s*([1-9])", re.IGNORECASE)
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_SKIPPED = {f"{_W}del", f"{_W}moveFrom", f"{_W}instrText"}
"""Text that was deleted but is still in the file."""


def blocks(data: bytes, name: str = "") -> list[Block]:
    """Return the blocks of a document."""
    with open_archive(data) as archive:
        require_no_macro(archive)
    from docx import Document
    from docx.table import Table
    from docx.text.paragraph import Paragraph

    with damaged_if_it_fails():
        document = Document(io.BytesIO(data))
        found: list[Block] = []
        styles = _Styles()
        for part in document.iter_inner_content():
            if isinstance(part, Table):
                found.extend(_table(part))
            elif isinstance(part, Paragraph):
                found.extend(_paragraph(part, styles))
        found.extend(_notes(document))
    return found


class _Styles:
    """The styles of paragraphs with those that they are based on, each looked up once."""

    def __init__(self) -> None:
        self._known: dict[str | None, tuple[Any, ...]] = {}

    def of(self, paragraph: Any) -> tuple[Any, ...]:
        """Return the style of a paragraph and those that it is based on, the nearest first."""
        name = paragraph._p.style
        if name not in self._known:
            self._known[name] = tuple(islice(_chain(paragraph.style), _MOST_STYLES))
        return self._known[name]


def _chain(style: Any) -> Iterator[Any]:
    while style is not None:
        yield style
        style = style.base_style


def _paragraph(paragraph: Any, styles: _Styles) -> Iterator[Block]:
    text = _text(paragraph._p).strip()
    if not text:
        return
    inherited = styles.of(paragraph)
    level = _level(paragraph, inherited)
    if level:
        yield Block("heading", text, level=level)
        return
    yield Block("text", f"- {text}" if _is_listed(paragraph, inherited) else text)


def _is_listed(paragraph: Any, styles: tuple[Any, ...]) -> bool:
    """Return whether a paragraph, or its style, has a bullet or number."""
    elements = [paragraph._p, *(style.element for style in styles)]
    return any(one.find(f"{_W}pPr/{_W}numPr") is not None for one in elements)


def _level(paragraph: Any, styles: tuple[Any, ...]) -> int:
    """Return the outline level of a paragraph or of its style; 0: it is text."""
    own = paragraph._p.find(f"{_W}pPr/{_W}outlineLvl")
    if own is not None:
        return _outline(own)
    for style in styles:
        if style.name == "Title":
            return 1
        if match := _HEADING.search(style.name or ""):
            return min(int(match[1]), 6)
        own = style.element.find(f"{_W}pPr/{_W}outlineLvl")
        if own is not None:
            return _outline(own)
    return 0


def _outline(element: Any) -> int:
    value = str(element.get(f"{_W}val", "9"))
    return min(int(value) + 1, 6) if value.isdecimal() and int(value) < 9 else 0


def _text(element: Any) -> str:
    """Return the text that a reader sees, with what was inserted and without what was deleted."""
    parts: list[str] = []
    _collect(element, parts)
    return "".join(parts)


def _collect(element: Any, parts: list[str]) -> None:
    for child in element:
        if child.tag in _SKIPPED:
            continue
        if child.tag == f"{_W}t":
            parts.append(child.text or "")
        elif child.tag == f"{_W}tab":
            parts.append("\t")
        elif child.tag in {f"{_W}br", f"{_W}cr"}:
            parts.append("\n")
        elif child.tag == f"{_W}p":
            parts.append("\n")
            _collect(child, parts)
        elif not str(child.tag).endswith("}Fallback"):
            _collect(child, parts)


def _table(table: Any) -> Iterator[Block]:
    rows: list[tuple[str, ...]] = []
    inner: list[Any] = []
    for row in table.rows:
        cells = list(row.cells)
        rows.append(tuple(_cell(cell) for cell in cells))
        for cell in cells:
            inner.extend(t for t in cell.tables if all(t._tbl is not one._tbl for one in inner))
    if len(rows) == 1 and len(rows[0]) == 1:
        yield Block("text", rows[0][0])  # a frame around a text
    else:
        yield Block("table", rows=tuple(rows))
    for one in inner:
        yield from _table(one)


def _cell(cell: Any) -> str:
    return "\n".join(text for p in cell.paragraphs if (text := _text(p._p).strip()))


def _notes(document: Any) -> Iterator[Block]:
    """Yield footnotes and endnotes, which are parts of their own."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    for related in document.part.rels.values():
        if related.is_external or not related.reltype.endswith(("/footnotes", "/endnotes")):
            continue
        root = etree.fromstring(related.target_part.blob, parser)
        for note in root:
            if note.get(f"{_W}type") is None and (text := _text(note).strip()):
                yield Block("text", text)
