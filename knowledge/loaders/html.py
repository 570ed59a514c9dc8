"""HTML: what a reader sees, with headings and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from guardia.board.intake.mail.html_text import remove_hidden
from guardia.knowledge.loaders.reading import Unreadable
from guardia.knowledge.loaders.text import decode
from guardia.knowledge.passages import Block

_CHARSET = re.compile(rb"<meta[^>]{0,300}charset\s*=\s*[\"']?\s*([\w-]{2,40})", re.IGNORECASE)
_HEADING = re.compile(r"h([1-6])")
_REFUSED = re.compile("<\\?xml[^>]*\\?>|[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_BLOCKS = frozenset(
    [
        *("html", "body", "main", "div", "p", "section", "article", "header", "footer", "nav"),
        *("ul", "ol", "li", "dl", "dt", "dd", "blockquote", "figure", "figcaption", "aside"),
        *("form", "fieldset", "address", "center", "details", "summary"),
    ]
)
_MOST_DEPTH = 200


def blocks(data: bytes, name: str = "") -> list[Block]:
    """Return the blocks of a page."""
    return blocks_of(decode_page(data))


def decode_page(data: bytes) -> str:
    """Return the text of a page: its own name of the encoding counts only if it fits."""
    said = _CHARSET.search(data[:4096])
    if said is not None:
        try:
            return data.decode({"euc-kr": "cp949"}.get(said[1].decode().lower(), said[1].decode()))
        except (LookupError, ValueError):
            pass
    return decode(data)


def blocks_of(source: str) -> list[Block]:
    """Return the blocks of a page that is decoded."""
    from lxml import etree
    from lxml import html as parser

    text = _REFUSED.sub("", source)
    if not text.strip():
        return []
    try:
        root = parser.document_fromstring(text, parser=parser.HTMLParser(remove_comments=True))
        remove_hidden(root)
    except (etree.LxmlError, ValueError, AssertionError) as error:
        raise Unreadable("damaged") from error
    found = _Walk()
    found.element(root, 0)
    found.flush()
    return found.blocks


class _Walk:
    """Collects the text of inline elements until a block begins or ends."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._text: list[str] = []

    def flush(self) -> None:
        lines = (" ".join(line.split()) for line in "".join(self._text).split("\0"))
        if text := "\n".join(line for line in lines if line):
            self.blocks.append(Block("text", text))
        self._text = []

    def element(self, element: Any, depth: int) -> None:
        tag = element.tag if isinstance(element.tag, str) else ""
        heading = _HEADING.fullmatch(tag)
        if depth > _MOST_DEPTH:
            self._text.append(" ".join(element.itertext()))
        elif heading:
            self._whole(Block("heading", _words(element), level=int(heading[1])))
        elif tag == "table" and not _is_layout(element):
            self._whole(Block("table", rows=tuple(_rows(element))))
        elif tag == "pre":
            self._whole(Block("code", "".join(element.itertext())))
        elif tag == "br":
            self._text.append("\0")
        else:
            self._inside(element, tag, depth)
        if element.tail:
            self._text.append(re.sub(r"\s+", " ", element.tail))

    def _whole(self, block: Block) -> None:
        self.flush()
        self.blocks.append(block)

    def _inside(self, element: Any, tag: str, depth: int) -> None:
        is_block = tag in _BLOCKS or tag in {"table", "tr", "td", "th", "tbody"}
        if is_block:
            self.flush()
        if tag == "li":
            self._text.append("- ")
        self._text.append(re.sub(r"\s+", " ", element.text or ""))
        for child in element:
            self.element(child, depth + 1)
        if is_block:
            self.flush()


def _is_layout(table: Any) -> bool:
    """Return whether a table only places other tables or headings."""
    return bool(table.xpath(".//table | .//h1 | .//h2 | .//h3"))


def _rows(table: Any) -> Iterator[tuple[str, ...]]:
    """Yield the rows; a cell over several columns or rows is repeated in each."""
    open_cells: dict[int, tuple[int, str]] = {}
    for row in table.xpath(".//tr"):
        cells: list[str] = []
        for cell in row.xpath("./td | ./th"):
            _carry(open_cells, cells)
            text = _words(cell)
            for _ in range(_span(cell, "colspan")):
                if (rows := _span(cell, "rowspan")) > 1:
                    open_cells[len(cells)] = (rows - 1, text)
                cells.append(text)
        _carry(open_cells, cells)
        yield tuple(cells)


def _carry(open_cells: dict[int, tuple[int, str]], cells: list[str]) -> None:
    while len(cells) in open_cells:
        at = len(cells)
        left, text = open_cells.pop(at)
        if left > 1:
            open_cells[at] = (left - 1, text)
        cells.append(text)


def _span(cell: Any, name: str) -> int:
    value = str(cell.get(name, "1")).strip()
    return min(max(int(value), 1), 50) if value.isdecimal() and len(value) < 6 else 1


def _words(element: Any) -> str:
    return " ".join(" ".join(element.itertext()).split())
