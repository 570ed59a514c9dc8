"""PDF: lines with their letter size, and ruled tables, page by page."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from guardia.knowledge.loaders.reading import Unreadable, damaged_if_it_fails, require_pages
from guardia.knowledge.passages import Block

_HEADING_RATIO = 1.12
"""Letters of a heading are larger than those of the text by this factor."""
_MOST_HEADING = 120
_NUMBERED = re.compile(r"^(제\s?\d+\s?[장절편조]|\d+(\.\d+){0,3}\.?|[IVX]+\.|[가-하]\.)\s+\S")
_GAP = 1.6
"""Line heights between two paragraphs."""
_WORDS = {"x_tolerance_ratio": 0.15, "y_tolerance": 3}


def blocks(data: bytes, name: str = "") -> tuple[list[Block], int]:
    """Return the blocks of a PDF and the number of its pages."""
    import pdfplumber
    from pdfminer.pdfdocument import PDFPasswordIncorrect
    from pdfplumber.utils.exceptions import PdfminerException

    with damaged_if_it_fails():
        try:
            pdf = pdfplumber.open(io.BytesIO(data), raise_unicode_errors=False)
        except PdfminerException as error:
            locked = isinstance(error.args[0] if error.args else None, PDFPasswordIncorrect)
            raise Unreadable("encrypted" if locked else "damaged") from error
        with pdf:
            count = len(pdf.pages)
            require_pages(count)
            _require_no_script(pdf.doc.catalog)
            pages = [_Page(page) for page in pdf.pages]
    if not any(page.lines or page.tables for page in pages):
        raise Unreadable("no_text")
    sizes = _sizes(pages)
    return [block for page in pages for block in _blocks(page, sizes)], count


def _require_no_script(catalog: Any) -> None:
    from pdfminer.pdftypes import resolve1

    opening = resolve1(catalog.get("OpenAction"))
    names = resolve1(catalog.get("Names")) or {}
    kind = str(opening.get("S", "")) if isinstance(opening, dict) else ""
    if "JavaScript" in names or any(one in kind for one in ("JavaScript", "Launch")):
        raise Unreadable("macro", name="JavaScript")


class _Line:
    """A line of text and where it is on its page."""

    def __init__(self, found: Any) -> None:
        characters = [c for c in found["chars"] if c["text"].strip()]
        self.text = str(found["text"]).strip()
        self.top, self.bottom = float(found["top"]), float(found["bottom"])
        self.size = round(Counter(round(c["size"], 1) for c in characters).most_common(1)[0][0], 1)
        bold = sum(
            "bold" in c["fontname"].lower() or c["fontname"].endswith("-B") for c in characters
        )
        self.is_bold = bold > len(characters) * 0.8


class _Page:
    """Lines and tables of a page; what is in a table is in no line."""

    def __init__(self, page: Any) -> None:
        self.number = int(page.page_number)
        found = [one for one in page.find_tables() if _is_table(one)]
        self.tables = [(float(one.bbox[1]), one.extract(**_WORDS)) for one in found]
        boxes = [one.bbox for one in found]
        rest = page.filter(lambda thing: not _is_inside(thing, boxes)) if boxes else page
        lines = rest.extract_text_lines(return_chars=True, strip=True, **_WORDS)
        self.lines = [_Line(one) for one in lines if one["text"].strip()]
        page.close()


def _is_table(table: Any) -> bool:
    return len(table.rows) > 1 and len(table.rows[0].cells) > 1


def _is_inside(thing: Any, boxes: Sequence[tuple[float, float, float, float]]) -> bool:
    if thing.get("object_type") != "char":
        return False
    x, y = (thing["x0"] + thing["x1"]) / 2, (thing["top"] + thing["bottom"]) / 2
    return any(x0 <= x <= x1 and top <= y <= bottom for x0, top, x1, bottom in boxes)


def _sizes(pages: Sequence[_Page]) -> list[float]:
    """Return the letter sizes of headings, the largest first; the text's own size is below."""
    letters: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            letters[line.size] += len(line.text)
    usual = letters.most_common(1)[0][0] if letters else 0.0
    return sorted((size for size in letters if size > usual * _HEADING_RATIO), reverse=True)


def _blocks(page: _Page, sizes: Sequence[float]) -> Iterator[Block]:
    tables = sorted(page.tables, key=lambda one: one[0])
    paragraph: list[_Line] = []
    for line in page.lines:
        while tables and tables[0][0] <= line.top:
            yield from _text(paragraph, page.number)
            paragraph = []
            yield _table(tables.pop(0)[1], page.number)
        level = _level(line, sizes)
        if level or (paragraph and _is_apart(paragraph[-1], line)):
            yield from _text(paragraph, page.number)
            paragraph = []
        if level:
            yield Block("heading", line.text, level=level, page=page.number)
        else:
            paragraph.append(line)
    yield from _text(paragraph, page.number)
    for _, rows in tables:
        yield _table(rows, page.number)


def _level(line: _Line, sizes: Sequence[float]) -> int:
    """Return the level of a heading; 0: it is text."""
    if len(line.text) > _MOST_HEADING or not any(c.isalpha() for c in line.text):
        return 0
    if line.size in sizes:
        return min(sizes.index(line.size) + 1, 6)
    if line.is_bold and _NUMBERED.match(line.text):
        return min(len(sizes) + 1, 6)
    return 0


def _is_apart(above: _Line, line: _Line) -> bool:
    height = max(above.bottom - above.top, 1.0)
    return line.top - above.bottom > (_GAP - 1) * height or line.top < above.top


def _text(lines: Sequence[_Line], page: int) -> Iterator[Block]:
    if lines:
        yield Block("text", "\n".join(line.text for line in lines), page=page)


def _table(rows: Any, page: int) -> Block:
    cells = tuple(tuple((cell or "").strip() for cell in row) for row in rows)
    return Block("table", rows=cells, page=page)
